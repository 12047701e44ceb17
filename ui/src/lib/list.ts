/** The value when it is an array, else an empty one: files of other hands may hold anything. */
export const list = (v: any): any[] => (Array.isArray(v) ? v : []);
