// The two browser objects that modules read while they load.
Object.assign(globalThis, {
  document: { documentElement: { dataset: { service: "grafana" } } },
  window: { location: { pathname: "/", search: "", hash: "" } },
});
