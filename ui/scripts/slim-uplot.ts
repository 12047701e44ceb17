// Leaves out of uPlot what this app never uses, before it is minified.
//
// The library is one function, so a bundler cannot drop its legend, date templates, scatter mode, own bars and
// asinh scale by itself. Each cut below turns one of those into a constant or removes the only reference to it;
// the minifier takes away what is then unreachable. Together they save nearly 4 KB of what travels for a chart.
// uPlot's version is pinned in package.json; a cut that no longer fits its source fails the build.
import type { Plugin } from "vite";

type Cut = [what: string, find: string | RegExp, put: string];

const cuts: Cut[] = [
  // The legend below a chart is our own (chart/Legend.tsx).
  ["legend", "const showLegend = legend.show;", "const showLegend = false;"],
  ["legend values", /\blegend\.live\b/g, "false"],
  // Series are aligned by lib/frames.ts, bars are drawn by chart/options.ts.
  ["join", "uPlot.join = join;", ""],
  ["bars", "(paths.bars    = bars);", ""],
  ["exported points", "uPlot.paths = {\n\t\tpoints,\n\t}", "uPlot.paths = {}"],
  // Times are written by lib/time.ts and are always in milliseconds.
  ["date templates", "uPlot.fmtDate = fmtDate;\n\tuPlot.tzDate  = tzDate;", ""],
  ["date names", "const _fmtDate = (opts.fmtDate || fmtDate);", ""],
  ["tick stamps", /const _timeAxisVals   = .*;\n\tconst _timeSeriesVal  = .*;/, ""],
  ["seconds", /const \[ timeIncrsMs, .*\nconst \[ timeIncrsS, .*/, "const [ timeIncrsMs, timeAxisSplitsMs ] = genTimeStuffs(1);"],
  ["increments in seconds", "(ms == 1 ? timeIncrsMs : timeIncrsS)", "timeIncrsMs"],
  ["splits in seconds", "(ms == 1 ? timeAxisSplitsMs(_tzDate) : timeAxisSplitsS(_tzDate))", "timeAxisSplitsMs(_tzDate)"],
  ["stamps of the axis", "\t\t_timeAxisStamps,\n", ""],
  ["stamps as a value", /s\.value = isTime \? \(.*\) : sv \|\| numSeriesVal;/, "s.value = sv || numSeriesVal;"],
  ["stamps as tick values", /axis\.values = \(\n\t*\/\/ static array[\s\S]*?\n\t\t\t\);/, "axis.values = av || numAxisVals;"],
  // A chart whose series change is built anew (chart/Chart.tsx).
  ["adding series", "self.addSeries = addSeries;", ""],
  ["deleting series", "self.delSeries = delSeries;", ""],
  ["changing bands", "self.addBand = addBand;\n\tself.setBand = setBand;\n\tself.delBand = delBand;", ""],
  // Time runs from left to right.
  ["horizontal time", /\bscaleX\.ori == 0/g, "true"],
  ["vertical time", /\bscaleX\.ori == 1/g, "false"],
  // Every chart is a time series; scales are linear or logarithmic.
  ["scatter mode", /\bmode == 2\b/g, "false"],
  ["time series mode", /\bmode == 1\b/g, "true"],
  ["asinh and custom scales", /\b(sc\.d|d|xScaleD)istr == (4|100)\b/g, "false"],
  ["asinh range", "uPlot.rangeAsinh = rangeAsinh;", ""],
];

export function slimUplot(): Plugin {
  return {
    name: "slim-uplot",
    apply: "build",
    transform(code, id) {
      if (!id.endsWith("/uplot/dist/uPlot.esm.js")) return;
      for (const [what, find, put] of cuts) {
        const next = code.replace(find, put);
        if (next === code) this.error(`uPlot changed: the cut "${what}" finds nothing; see scripts/slim-uplot.ts`);
        code = next;
      }
      return { code, map: null };
    },
  };
}
