// A Plotly figure from the server in the page's theme. Colours come from here, never with the figure.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import Plotly from "plotly.js-basic-dist-min";

const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false };
const TOUCH = matchMedia("(max-width: 639px)");

let looks = null;
const waiting = new Set();

/** Takes the looks that the page was built with; draws nothing. */
export function PlotLooks({ looks: given }) {
  useEffect(() => {
    looks = given;
    waiting.forEach((tell) => tell());
  }, [given]);
  return null;
}

const useLooks = () =>
  useSyncExternalStore(
    (tell) => {
      waiting.add(tell);
      return () => waiting.delete(tell);
    },
    () => looks,
  );

const theme = () => (document.documentElement.classList.contains("light") ? "light" : "dark");

function useTheme() {
  const [name, setName] = useState(theme);
  useEffect(() => {
    const watch = new MutationObserver(() => setName(theme()));
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    return () => watch.disconnect();
  }, []);
  return name;
}

const coloured = (trace, colours) =>
  trace.meta ? { ...trace, marker: { ...trace.marker, color: colours[trace.meta] }, line: { ...trace.line, color: colours[trace.meta] } } : trace;

/** Draws `figure` ({ data, layout }); `onPick(x)` is told the x of a bar that is clicked, as epoch ms. */
export function Plot({ figure, label, onPick }) {
  const box = useRef(null);
  const pick = useRef(onPick);
  pick.current = onPick;
  const known = useLooks();
  const name = useTheme();
  useEffect(() => {
    if (!known || !figure) return;
    const look = known[name];
    const layout = { ...figure.layout, template: look.template, autosize: true, dragmode: TOUCH.matches ? false : "zoom" };
    Plotly.react(box.current, figure.data.map((trace) => coloured(trace, look.colours)), layout, CONFIG).then((drawn) => {
      drawn.removeAllListeners("plotly_click");
      if (pick.current) drawn.on("plotly_click", ({ points }) => pick.current?.(figure.data[points[0].curveNumber].x[points[0].pointNumber]));
    });
  }, [figure, known, name]);
  useEffect(() => {
    const drawn = box.current;
    return () => Plotly.purge(drawn);
  }, []);
  return <div ref={box} className="bh-plot" role="img" aria-label={label} />;
}
