// The toaster and the notices a State sends. Both use one copy of sonner.
import { createElement, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import { Toaster as Sonner, toast } from "sonner";
import { refs } from "$/utils/state";

const PHONE = "(max-width: 639px)";
const SEEN_KEY = "bh-notices-seen";
const SEEN_LIMIT = 32;

export function Toaster() {
  const [phone, setPhone] = useState(() => matchMedia(PHONE).matches);
  useEffect(() => {
    const query = matchMedia(PHONE);
    const update = () => setPhone(query.matches);
    query.addEventListener("change", update);
    refs["__toast"] = toast; // where client-side toasts of the framework look for it
    return () => query.removeEventListener("change", update);
  }, []);
  const list = createElement(Sonner, {
    position: phone ? "top-center" : "bottom-left",
    visibleToasts: 3,
    expand: false,
    richColors: false,
    offset: { bottom: 44, left: 16 },
    mobileOffset: { top: 60, left: 16, right: 16 },
    toastOptions: { className: "bh-toast", duration: 4000 },
  });
  return createPortal(list, document.body); // beside the Radix root, so that no modal covers a toast
}

// The list survives a reload on the server, so what was shown must survive it here.
function seenKeys() {
  try {
    return JSON.parse(sessionStorage.getItem(SEEN_KEY) ?? "[]");
  } catch {
    return [];
  }
}

export function Notifier({ notices = [] }) {
  useEffect(() => {
    const seen = seenKeys();
    const fresh = notices.filter((notice) => !seen.includes(notice.key));
    if (!fresh.length) return;
    sessionStorage.setItem(SEEN_KEY, JSON.stringify([...seen, ...fresh.map((n) => n.key)].slice(-SEEN_LIMIT)));
    for (const { toast: id, kind, text, detail } of fresh) {
      const stays = kind === "error";
      toast[kind](text, { id, description: detail || undefined, duration: stays ? Infinity : 4000, closeButton: stays });
    }
  }, [notices]);
  return null;
}
