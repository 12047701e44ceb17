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
      case "suffix": return (v, d) => ({ text: fixed(v, d), suffix: rest });
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

/** Plain decimal text with the given or automatic number of decimals. */
export function fixed(value: number, decimals?: number | null): string {
  if (value === Infinity) return "Inf";
  if (value === -Infinity) return "-Inf";
  if (decimals !== null && decimals !== undefined) return stripMinusZero(value.toFixed(clampDecimals(decimals)));
  const text = value.toFixed(autoDecimals(value));
  return stripMinusZero(text);
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
    while (Math.abs(v) >= factor && step < suffixes.length - 1) {
      v /= factor;
      step++;
    }
    return { text: fixed(v, decimals), suffix: suffixes[step] };
  };
}

const siSymbols = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"];

/** Decimal prefixes; `offset` is the power of 1000 the stored value is already in. */
function si(symbol: string, offset = 0, down = false): Formatter {
  return (value, decimals) => {
    if (!Number.isFinite(value)) return { text: fixed(value) };
    let step = 5 + offset;
    let v = value;
    if (v !== 0) {
      while (Math.abs(v) >= 1000 && step < siSymbols.length - 1) (v /= 1000), step++;
      while (down && Math.abs(v) < 1 && step > 0) (v *= 1000), step--;
    }
    return { text: fixed(v, decimals), suffix: ` ${siSymbols[step]}${symbol}` };
  };
}

/** `si:mW` means: the value is in milliwatts. */
function dynamicSi(unit: string): Formatter {
  const at = unit.length > 1 ? siSymbols.indexOf(unit.charAt(0) === "u" ? "µ" : unit.charAt(0)) : -1;
  return at >= 0 ? si(unit.slice(1), at - 5, true) : si(unit, 0, true);
}

function binary(symbol: string, offset = 0): Formatter {
  const prefixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
  return scaled(1024, prefixes.map((p) => ` ${p}${symbol}`), offset);
}

const countSuffixes = ["", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"];
const short = scaled(1000, countSuffixes);

function counted(symbol: string): Formatter {
  return (value, decimals) => {
    const f = scaled(1000, ["", "K", "M", "B", "T"])(value, decimals);
    return { text: f.text, suffix: `${f.suffix ? " " + f.suffix : ""} ${symbol}` };
  };
}

function plain(suffix: string): Formatter {
  return (value, decimals) => ({ text: fixed(value, decimals), suffix });
}

function currency(symbol: string): Formatter {
  const scale = scaled(1000, ["", "K", "M", "B", "T"]);
  return (value, decimals) => ({ prefix: symbol, ...scale(value, decimals) });
}

// Time ---------------------------------------------------------------------------------------------------

/** Ladder of time units in seconds, with the suffix each step prints. */
const timeLadder: [seconds: number, suffix: string][] = [
  [1e-9, " ns"],
  [1e-6, " µs"],
  [1e-3, " ms"],
  [1, " s"],
  [60, " mins"],
  [3600, " hours"],
  [86400, " days"],
  [604800, " weeks"],
  [31536000, " years"],
];

function time(unitSeconds: number): Formatter {
  return (value, decimals) => {
    if (!Number.isFinite(value)) return { text: fixed(value) };
    if (value === 0) return { text: fixed(0, decimals), suffix: ladderSuffix(unitSeconds) };
    const seconds = Math.abs(value * unitSeconds);
    let rung = timeLadder[0]!;
    for (const candidate of timeLadder) {
      // A hair of tolerance: 1e-3 * 1000 must count as a full second.
      if (seconds >= candidate[0] * (1 - 1e-12)) rung = candidate;
    }
    const scaledValue = (value * unitSeconds) / rung[0];
    const text = fixed(round(scaledValue), decimals);
    return { text, suffix: text === "1" && rung[1].endsWith("s") && rung[0] >= 60 ? rung[1].slice(0, -1) : rung[1] };
  };
}

// Multiplying by 1e-9 leaves dust in the last bits that would defeat "whole numbers have no decimals".
function round(v: number): number {
  return Number(v.toPrecision(12));
}

function ladderSuffix(unitSeconds: number): string {
  return timeLadder.find(([s]) => s === unitSeconds)?.[1] ?? " s";
}

function durationWords(unitSeconds: number): Formatter {
  const words: [number, string][] = [
    [31536000, "year"], [2628000, "month"], [604800, "week"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"],
  ];
  return (value) => {
    let rest = Math.abs(value) * unitSeconds;
    if (rest < 1) return { text: fixed(value * unitSeconds * 1000), suffix: " milliseconds" };
    const parts: string[] = [];
    for (const [size, word] of words) {
      const n = Math.floor(rest / size);
      if (n > 0) parts.push(`${n} ${word}${n === 1 ? "" : "s"}`);
      rest -= n * size;
      if (parts.length === 2) break;
    }
    return { text: (value < 0 ? "-" : "") + parts.join(", ") };
  };
}

function hms(value: number): Formatted {
  const total = Math.floor(Math.abs(value));
  const two = (n: number) => String(n).padStart(2, "0");
  return { text: `${value < 0 ? "-" : ""}${two(Math.floor(total / 3600))}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}` };
}

function dhms(value: number): Formatted {
  const days = Math.floor(Math.abs(value) / 86400);
  return { text: `${value < 0 ? "-" : ""}${days} d ${hms(Math.abs(value) % 86400).text}` };
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
  const f = time(1)(Math.round(Math.abs(delta)), 0);
  return delta > 0 ? `in ${f.text}${f.suffix}` : `${f.text}${f.suffix} ago`;
}

// The table ----------------------------------------------------------------------------------------------

const percentUnit: Formatter = (v, d) => ({ text: fixed(round(v * 100), d), suffix: "%" });

const units: Record<string, Formatter> = {
  none: plain(""), string: plain(""), short, sishort: si(""), locale: (v, d) => ({ text: v.toLocaleString("en-US", { maximumFractionDigits: d ?? 3, minimumFractionDigits: d ?? 0 }) }),
  percent: plain("%"), percentunit: percentUnit, humidity: plain(" %H"), dB: plain(" dB"), pixel: plain(" px"), ppm: plain(" ppm"),
  hex: (v) => ({ text: Math.trunc(v).toString(16).toUpperCase() }), hex0x: (v) => ({ text: "0x" + Math.trunc(v).toString(16).toUpperCase() }),
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
  ns: time(1e-9), µs: time(1e-6), us: time(1e-6), ms: time(1e-3), s: time(1), m: time(60), h: time(3600), d: time(86400), hertz: si("Hz"),
  dtdurations: durationWords(1), dtdurationms: durationWords(1e-3), dthms: hms, dtdhms: dhms,
  clocks: hms, clockms: (v) => hms(v / 1000), timeticks: (v, d) => time(0.01)(v, d),
  dateTimeAsIso: (v) => ({ text: formatPattern(v, "YYYY-MM-DD HH:mm:ss") }), dateTimeAsIsoNoDateIfToday: (v) => ({ text: formatPattern(v, new Date(v).toDateString() === new Date().toDateString() ? "HH:mm:ss" : "YYYY-MM-DD HH:mm:ss") }),
  dateTimeAsUS: (v) => ({ text: formatPattern(v, "MM/DD/YYYY h:mm:ss a") }), dateTimeAsLocal: (v) => ({ text: new Date(v).toLocaleString() }),
  dateTimeAsSystem: (v) => ({ text: formatPattern(v, "YYYY-MM-DD HH:mm:ss") }), dateTimeFromNow: (v) => ({ text: fromNow(v) }),
  // Physics
  celsius: plain(" °C"), fahrenheit: plain(" °F"), kelvin: plain(" K"), watt: si("W"), kwatt: si("W", 1), mwatt: si("W", -1), volt: si("V"), amp: si("A"), joule: si("J"),
  kwatth: si("Wh", 1), watth: si("Wh"), lengthm: si("m"), massg: si("g"), pressurehpa: plain(" hPa"), rotrpm: plain(" rpm"), rothz: si("Hz"),
  velocityms: plain(" m/s"), flops: si("FLOPS"), Hs: si("H/s"), degree: plain("°"),
  // Boolean
  bool: (v) => ({ text: v ? "True" : "False" }), bool_yes_no: (v) => ({ text: v ? "Yes" : "No" }), bool_on_off: (v) => ({ text: v ? "On" : "Off" }),
  // Currency
  currencyUSD: currency("$"), currencyEUR: currency("€"), currencyGBP: currency("£"), currencyJPY: currency("¥"),
};
