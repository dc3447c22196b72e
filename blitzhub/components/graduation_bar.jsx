// Progress to graduation, live: SOL raised of the SOL needed.
import { createElement, useEffect, useRef } from "react";
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";
import { age, graduationAmounts, graduationPercent, marketSol } from "$/public/external/blitzhub/feed/figures.js";
import { writeText } from "$/public/external/blitzhub/feed/paint.js";

const AGE_MS = 1_000;
const STATES = { graduating: "graduating", graduated: "graduated" };

export function paintBar(bar, { stage, reserve_lamports: raised, raise_lamports: needed }) {
  const done = stage in STATES;
  const share = done ? 1 : Math.min(Number(raised) / Number(needed), 1);
  bar.style.setProperty("--bh-share", String(share));
  bar.dataset.state = STATES[stage] ?? "curve";
  bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
  bar.setAttribute("aria-valuetext", done ? "Graduated" : graduationAmounts(raised, needed));
}

const BAR = { role: "progressbar", "aria-label": "Graduation", "aria-valuemin": 0, "aria-valuemax": 100 };

/** "Graduated 3h ago · liquidity 80.00 SOL", as far as it is known. */
function graduatedWords({ graduated_at_ms: at, liquidity_lamports: liquidity }) {
  if (!at) return "Graduated";
  const since = age(at, Date.now());
  return `Graduated ${/^\d+[smhd]$/.test(since) ? `${since} ago` : since} · liquidity ${marketSol(liquidity)} SOL`;
}

export function Bar({ barRef, page = false }) {
  return createElement(
    "div",
    { ...BAR, ref: barRef, className: page ? "bh-bar bh-bar--page" : "bh-bar" },
    createElement("span", { className: "bh-bar__fill" }),
  );
}

export function LiveGraduationBar({ token, raised = "0", needed = "1", stage = "curve", page = true, words = true, className = "" }) {
  const bar = useRef(null);
  const amounts = useRef(null);
  const percent = useRef(null);
  useEffect(() => {
    const known = { stage, reserve_lamports: raised || "0", raise_lamports: needed || "1", graduated_at_ms: null, liquidity_lamports: null };
    const paint = () => {
      if (!bar.current) return;
      paintBar(bar.current, known);
      if (!words) return;
      const graduated = known.stage === "graduated";
      const line = { graduating: () => "Moving to its pool, trading goes on", graduated: () => graduatedWords(known) }[known.stage];
      writeText(amounts.current, line ? line() : graduationAmounts(known.reserve_lamports, known.raise_lamports));
      writeText(percent.current, graduated ? "" : graduationPercent(known.reserve_lamports, known.raise_lamports));
    };
    paint();
    if (!token) return undefined;
    const aging = setInterval(() => known.stage === "graduated" && paint(), AGE_MS);
    const stop = subscribe({ type: "token", token }, ({ snapshot, data }) => {
      const figures = snapshot ? data.token : data;
      for (const key of Object.keys(known)) if (key in figures) known[key] = figures[key];
      paint();
    });
    return () => {
      clearInterval(aging);
      stop();
    };
  }, [token, raised, needed, stage, words]);
  const line = createElement(
    "div",
    { className: "bh-graduation__words", key: "words" },
    createElement("span", { ref: amounts, className: "bh-fig" }),
    createElement("span", { ref: percent, className: "bh-fig", "data-testid": "graduation-percent" }),
  );
  return createElement(
    "div",
    { className: `bh-graduation ${className}` },
    words ? line : null,
    createElement(Bar, { barRef: bar, page, key: "bar" }),
  );
}
