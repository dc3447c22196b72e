// A shortened address or signature that copies its whole text.
import { createElement, useEffect, useRef, useState } from "react";
import { Check, Copy } from "lucide-react";
import { shortAddress } from "$/public/external/blitzhub/feed/figures.js";

const CHECK_MS = 1200;

export function CopyText({ text = "", word = "", label = "Address" }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  if (!text) return null;
  const copy = async (event) => {
    event.preventDefault();
    event.stopPropagation();
    await navigator.clipboard.writeText(text);
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), CHECK_MS);
  };
  return createElement(
    "button",
    {
      type: "button",
      className: "bh-copy",
      title: text,
      onClick: copy,
      "aria-label": `${label} starting ${text.slice(0, 4)}, ${copied ? "copied" : "copy"}`,
    },
    word || shortAddress(text),
    createElement(copied ? Check : Copy, { "aria-hidden": true }),
  );
}
