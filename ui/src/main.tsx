import { render } from "solid-js/web";
import "./styles/base.css";
import "./styles/controls.css";
import { startRouter } from "./app/router";
import { Shell } from "./app/Shell";
import { startTheme } from "./app/theme";

startTheme();
startRouter();
render(() => <Shell />, document.getElementById("root")!);
