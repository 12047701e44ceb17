// Units: how a number becomes text.
//
// A unit id (`bytes`, `s`, `percentunit`, …) names a formatter. Formatters scale the value to a readable
// magnitude and return number and suffix apart, so that stat panels can set the suffix smaller.
// An id that is not known is shown as a suffix: dashboards use free text such as `cores` as a unit.

export interface Formatted {
  text: string;
  prefix?: string;
  suffix?: string;
}

export type Formatter = (value: number, decimals?: number | null) => Formatted;

/** Renders a value with its unit as one string. */
export function formatValue(value: number | null | undefined, unit?: string, decimals?: number | null): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "NaN";
  return joinFormatted(formatter(unit)(value, decimals));
}

export function joinFormatted(f: Formatted): string {
  return (f.prefix ?? "") + f.text + (f.suffix ?? "");
}

export function formatter(unit?: string): Formatter {
  if (!unit) return short;
  const known = units[unit];
  if (known) return known;
  const colon = unit.indexOf(":");
  if (colon > 0) {
    const rest = unit.slice(colon + 1);
    switch (unit.slice(0, colon)) {
      case "prefix": return (v, d) => ({ prefix: rest, text: fixed(v, d) });
      case "suffix": return (v, d) => ({ text: fixed(v, d), suffix: rest.startsWith(" ") ? rest : ` ${rest}` });
      case "si": return dynamicSi(rest);
      case "count": return counted(rest);
      case "currency": return currency(rest);
      case "time": return (v) => ({ text: formatPattern(v, rest) });
      case "bool": {
        const [on = "True", off = "False"] = rest.split("/");
        return (v) => ({ text: v ? on : off });
      }
    }
  }
  return (v, d) => ({ text: fixed(v, d), suffix: " " + unit });
}

/**
 * Decimals shown when the dashboard does not say: three significant digits, none for whole numbers.
 */
export function autoDecimals(value: number): number {
  if (value === 0 || value % 1 === 0 || !Number.isFinite(value)) return 0;
  return Math.min(20, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

/** Plain decimal text with the given or automatic number of decimals; vanishing values in exponent form. */
export function fixed(value: number, decimals?: number | null): string {
  if (value === Infinity) return "Inf";
  if (value === -Infinity) return "-Inf";
  const places = decimals === null || decimals === undefined ? autoDecimals(value) : clampDecimals(decimals);
  // Rounding the scaled value, as the original does, differs from toFixed where the last digit is a 5.
  const rounded = Math.round(value * 10 ** places) / 10 ** places;
  if (String(rounded).includes("e")) return String(rounded);
  return stripMinusZero(rounded.toFixed(places));
}

function clampDecimals(decimals: number): number {
  return Math.min(20, Math.max(0, Math.trunc(decimals) || 0));
}

function stripMinusZero(text: string): string {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}

// Families -----------------------------------------------------------------------------------------------

function scaled(factor: number, suffixes: string[], start = 0): Formatter {
  return (value, decimals) => {
    if (!Number.isFinite(value)) return { text: fixed(value) };
    let step = start;
    let v = value;
    while (v !== 0 && Math.abs(v) < 1 && step > 0) (v *= factor), step--;
    while (Math.abs(v) >= factor && step < suffixes.length - 1) {
      v /= factor;
      step++;
    }
    return { text: fixed(v, decimals), suffix: suffixes[step] };
  };
}

const siSymbols = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"];

/** Decimal prefixes; `offset` is the power of 1000 the stored value is already in. */
function si(symbol: string, offset = 0): Formatter {
  return (value, decimals) => {
    if (!Number.isFinite(value)) return { text: fixed(value) };
    let step = 5 + offset;
    let v = value;
    if (v !== 0) {
      while (Math.abs(v) >= 1000 && step < siSymbols.length - 1) (v /= 1000), step++;
      while (Math.abs(v) < 1 && step > 0) (v *= 1000), step--;
    }
    return { text: fixed(v, decimals), suffix: ` ${siSymbols[step]}${symbol}` };
  };
}

/** `si:mW` means: the value is in milliwatts. */
function dynamicSi(unit: string): Formatter {
  const at = unit.length > 1 ? siSymbols.indexOf(unit.charAt(0) === "u" ? "µ" : unit.charAt(0)) : -1;
  return at >= 0 ? si(unit.slice(1), at - 5) : si(unit);
}

function binary(symbol: string, offset = 0): Formatter {
  const prefixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
  return scaled(1024, prefixes.map((p) => ` ${p}${symbol}`), offset);
}

const countSuffixes = ["", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"];
const short = scaled(1000, countSuffixes);

const shortCounts = scaled(1000, ["", "K", "M", "B", "T"]);

function counted(symbol: string): Formatter {
  return (value, decimals) => {
    const f = shortCounts(value, decimals);
    return { text: f.text, suffix: `${f.suffix ?? ""} ${symbol}` };
  };
}

function plain(suffix: string): Formatter {
  return (value, decimals) => ({ text: fixed(value, decimals), suffix });
}

function currency(symbol: string): Formatter {
  return (value, decimals) => ({ prefix: value < 0 ? `-${symbol}` : symbol, ...shortCounts(Math.abs(value), decimals) });
}

// Time ---------------------------------------------------------------------------------------------------

/** One step of a ladder: values from `from` on are divided by `size`. Words get a plural, symbols do not. */
type Rung = [from: number, size: number, unit: string, word?: boolean];

// The ladders differ from each other in where they begin and end and in how long a year is; the numbers are the original's.
const ladders: Record<string, Rung[]> = {
  s: [[0, 1e-9, "ns"], [1e-6, 1e-6, "µs"], [1e-3, 1e-3, "ms"], [1, 1, "s"], [60, 60, "min", true], [3600, 3600, "hour", true], [86400, 86400, "day", true], [604800, 604800, "week", true], [31536000, 31556900, "year", true]],
  ms: [[0, 1, "ms"], [1e3, 1e3, "s"], [6e4, 6e4, "min", true], [36e5, 36e5, "hour", true], [864e5, 864e5, "day", true], [31536e6, 31536e6, "year", true]],
  µs: [[0, 1, "µs"], [1e3, 1e3, "ms"], [1e6, 1e6, "s"]],
  ns: [[0, 1, "ns"], [1e3, 1e3, "µs"], [1e6, 1e6, "ms"], [1e9, 1e9, "s"], [6e10, 6e10, "min", true]],
  m: [[0, 1, "min"], [60, 60, "hour", true], [1440, 1440, "day", true], [10080, 10080, "week", true], [604800, 525948, "year", true]],
  h: [[0, 1, "hour"], [24, 24, "day", true], [168, 168, "week", true], [8760, 8760, "year", true]],
  d: [[0, 1, "day"], [7, 7, "week", true], [365, 365, "year", true]],
};

function time(unit: keyof typeof ladders, scale = 1): Formatter {
  const ladder = ladders[unit]!;
  return (raw, decimals) => {
    if (!Number.isFinite(raw)) return { text: fixed(raw) };
    const value = raw * scale;
    if (value === 0 && unit === "s") return { text: "0", suffix: " s" };
    let rung = ladder[0]!;
    for (const candidate of ladder) if (Math.abs(value) >= candidate[0]) rung = candidate;
    const [, size, name, word] = rung;
    // Below one, multiplying keeps the digits clean where dividing by 1e-3 would not.
    const v = size < 1 ? value * Math.round(1 / size) : value / size;
    return { text: fixed(v, decimals), suffix: ` ${name}${word && v !== 1 ? "s" : ""}` };
  };
}

const durationUnits: [ms: number, word: string][] = [
  [31536e6, "year"], [2592e6, "month"], [6048e5, "week"], [864e5, "day"], [36e5, "hour"], [6e4, "minute"], [1e3, "second"], [1, "millisecond"],
];

/** `1 hour, 30 minutes`: the largest unit and as many smaller ones as there are decimals. */
function durationWords(unitMs: number): Formatter {
  return (value, decimals) => {
    if (!Number.isFinite(value)) return { text: fixed(value) };
    if (value === 0) return { text: unitMs === 1 ? "0 milliseconds" : "0 seconds" };
    let rest = Math.abs(value) * unitMs;
    const parts: string[] = [];
    for (const [size, word] of durationUnits) {
      const n = Math.floor(rest / size);
      if (n === 0 && parts.length === 0) continue;
      parts.push(`${n} ${word}${n === 1 ? "" : "s"}`);
      rest -= n * size;
      if (parts.length > (decimals ?? 0)) break;
    }
    return { text: parts.join(", "), suffix: value < 0 && parts.length > 0 ? " ago" : "" };
  };
}

const pad = (n: number, width = 2) => String(n).padStart(width, "0");

function hms(value: number): Formatted {
  const total = Math.floor(Math.abs(value));
  return { text: `${pad(Math.floor(total / 3600))}:${pad(Math.floor(total / 60) % 60)}:${pad(total % 60)}`, suffix: value < 0 ? " ago" : "" };
}

function dhms(value: number): Formatted {
  const days = Math.floor(Math.abs(value) / 86400);
  const clock = hms(Math.abs(value) % 86400).text;
  return { text: days > 0 ? `${days} d ${clock}` : clock, suffix: value < 0 ? " ago" : "" };
}

/** `1h:02m:03s:004ms`, without the leading units that are zero. */
function clock(ms: number): Formatted {
  const total = Math.max(0, Math.floor(ms + 1e-6));
  const parts = [`${pad(total % 1000, 3)}ms`];
  if (total >= 1e3) parts.unshift(`${pad(Math.floor(total / 1e3) % 60)}s`);
  if (total >= 6e4) parts.unshift(`${pad(Math.floor(total / 6e4) % 60)}m`);
  if (total >= 36e5) parts.unshift(`${Math.floor(total / 36e5)}h`);
  return { text: parts.join(":") };
}

export function formatPattern(ms: number, pattern: string): string {
  const d = new Date(ms);
  if (Number.isNaN(d.getTime())) return "Invalid date";
  const two = (n: number) => String(n).padStart(2, "0");
  const month = d.toLocaleString("en-US", { month: "long" });
  const day = d.toLocaleString("en-US", { weekday: "long" });
  const tokens: Record<string, string> = {
    YYYY: String(d.getFullYear()), YY: two(d.getFullYear() % 100), MMMM: month, MMM: month.slice(0, 3), MM: two(d.getMonth() + 1),
    M: String(d.getMonth() + 1), DD: two(d.getDate()), D: String(d.getDate()), dddd: day, ddd: day.slice(0, 3), HH: two(d.getHours()),
    H: String(d.getHours()), hh: two(d.getHours() % 12 || 12), h: String(d.getHours() % 12 || 12), mm: two(d.getMinutes()),
    m: String(d.getMinutes()), ss: two(d.getSeconds()), s: String(d.getSeconds()), SSS: String(d.getMilliseconds()).padStart(3, "0"),
    A: d.getHours() < 12 ? "AM" : "PM", a: d.getHours() < 12 ? "am" : "pm", X: String(Math.floor(ms / 1000)), x: String(ms),
  };
  return pattern.replace(/\[([^\]]*)\]|YYYY|YY|MMMM|MMM|MM|M|DD|D|dddd|ddd|HH|H|hh|h|mm|m|ss|s|SSS|A|a|X|x/g, (t, literal) =>
    literal !== undefined ? literal : tokens[t] ?? t,
  );
}

function fromNow(ms: number): string {
  const delta = (ms - Date.now()) / 1000;
  const f = time("s")(Math.round(Math.abs(delta)), 0);
  return delta > 0 ? `in ${f.text}${f.suffix}` : `${f.text}${f.suffix} ago`;
}

// The table ----------------------------------------------------------------------------------------------

const percentUnit: Formatter = (v, d) => ({ text: fixed(v * 100, d), suffix: "%" });

const hex = (v: number, d?: number | null): string => Number(fixed(v, d)).toString(16).toUpperCase();

const units: Record<string, Formatter> = {
  none: plain(""), string: plain(""), short, sishort: si(""), locale: (v, d) => ({ text: v.toLocaleString("en-US", { maximumFractionDigits: d ?? 3 }) }),
  percent: plain("%"), percentunit: percentUnit, humidity: plain(" %H"), dB: plain(" dB"), pixel: plain(" px"), ppm: plain(" ppm"),
  hex: (v, d) => ({ text: hex(v, d) }), hex0x: (v, d) => ({ text: "0x" + hex(v, d) }),
  sci: (v, d) => ({ text: v.toExponential(d ?? undefined) }),
  // Data
  bytes: binary("B"), bits: binary("b"), kbytes: binary("B", 1), mbytes: binary("B", 2), gbytes: binary("B", 3), tbytes: binary("B", 4),
  decbytes: si("B"), decbits: si("b"), deckbytes: si("B", 1), decmbytes: si("B", 2), decgbytes: si("B", 3),
  // Data rate
  Bps: si("B/s"), bps: si("b/s"), binBps: binary("B/s"), binbps: binary("b/s"), pps: si("p/s"),
  KBs: si("B/s", 1), MBs: si("B/s", 2), GBs: si("B/s", 3), KiBs: binary("B/s", 1), MiBs: binary("B/s", 2), GiBs: binary("B/s", 3),
  Kbits: si("b/s", 1), Mbits: si("b/s", 2), Gbits: si("b/s", 3),
  // Throughput
  cps: counted("c/s"), ops: counted("ops/s"), reqps: counted("req/s"), rps: counted("rd/s"), wps: counted("wr/s"), iops: counted("io/s"),
  eps: counted("evt/s"), mps: counted("msg/s"), recps: counted("rec/s"), rowsps: counted("rows/s"),
  cpm: counted("c/m"), opm: counted("ops/m"), rpm: counted("rd/m"), wpm: counted("wr/m"), reqpm: counted("req/m"), mpm: counted("msg/m"),
  // Time
  ns: time("ns"), µs: time("µs"), us: time("µs"), ms: time("ms"), s: time("s"), m: time("m"), h: time("h"), d: time("d"), hertz: si("Hz"),
  dtdurations: durationWords(1000), dtdurationms: durationWords(1), dthms: hms, dtdhms: dhms,
  clocks: (v) => clock(v * 1000), clockms: clock, timeticks: time("s", 0.01),
  dateTimeAsIso: (v) => ({ text: formatPattern(v, "YYYY-MM-DD HH:mm:ss") }), dateTimeAsIsoNoDateIfToday: (v) => ({ text: formatPattern(v, new Date(v).toDateString() === new Date().toDateString() ? "HH:mm:ss" : "YYYY-MM-DD HH:mm:ss") }),
  dateTimeAsUS: (v) => ({ text: formatPattern(v, "MM/DD/YYYY h:mm:ss a") }), dateTimeAsLocal: (v) => ({ text: new Date(v).toLocaleString() }),
  dateTimeAsSystem: (v) => ({ text: formatPattern(v, "YYYY-MM-DD HH:mm:ss") }), dateTimeFromNow: (v) => ({ text: fromNow(v) }),
  // Physics
  celsius: plain(" °C"), fahrenheit: plain(" °F"), kelvin: plain(" K"), watt: si("W"), kwatt: si("W", 1), mwatt: si("W", -1), volt: si("V"), amp: si("A"), joule: si("J"),
  kwatth: si("Wh", 1), watth: si("Wh"), lengthm: si("m"), massg: si("g"), pressurehpa: plain(" hPa"), rotrpm: plain(" rpm"), rothz: si("Hz"),
  velocityms: plain(" m/s"), flops: si("FLOPS"), Hs: si("H/s"), degree: plain(" °"),
  // Boolean
  bool: (v) => ({ text: v ? "True" : "False" }), bool_yes_no: (v) => ({ text: v ? "Yes" : "No" }), bool_on_off: (v) => ({ text: v ? "On" : "Off" }),
  // Currency
  currencyUSD: currency("$"), currencyEUR: currency("€"), currencyGBP: currency("£"), currencyJPY: currency("¥"),
};
