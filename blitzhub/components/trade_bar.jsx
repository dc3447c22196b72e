// Below 1024 px: Buy and Sell stay at the foot of the screen, over what one holds; the panel opens as a sheet.
import { useRef, useState } from "react";
import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import { units } from "$/public/external/blitzhub/client/amounts.js";
import { useWide } from "$/public/external/blitzhub/client/screen.js";
import { compactTokens } from "$/public/external/blitzhub/feed/figures.js";
import { TradePanel } from "./trade_panel.jsx";

export function TradeBar(props) {
  const wide = useWide();
  const [side, setSide] = useState("");
  const opener = useRef(null);
  if (wide) return null;
  const open = (name) => (event) => {
    opener.current = event.currentTarget;
    setSide(name);
  };
  const giveFocusBack = (event) => {
    event.preventDefault();
    opener.current?.focus();
  };
  const held = units(props.held) ?? 0n;
  return (
    <Dialog.Root open={side !== ""} onOpenChange={(opened) => !opened && setSide("")}>
      <div className="bh-tradebar" data-testid="trade-bar">
        {held > 0n && (
          <div className="bh-tradebar__held bh-small">
            You hold <span className="bh-fig">{compactTokens(held, props.decimals)}</span> {props.symbol}
          </div>
        )}
        <div className="bh-tradebar__buttons">
          <button type="button" className="bh-button bh-button--main bh-button--buy" onClick={open("buy")} data-testid="open-buy">
            Buy
          </button>
          <button type="button" className="bh-button bh-button--main bh-button--sell" onClick={open("sell")} data-testid="open-sell">
            Sell
          </button>
        </div>
      </div>
      <Dialog.Portal>
        <Dialog.Overlay className="bh-scrim" />
        <Dialog.Content className="bh-sheet" aria-describedby={undefined} onCloseAutoFocus={giveFocusBack}>
          <div className="bh-sheet__head">
            <Dialog.Title className="bh-title">Trade {props.symbol}</Dialog.Title>
            <Dialog.Close className="bh-button bh-button--ghost bh-sheet__close" aria-label="Close">
              <X className="bh-icon" aria-hidden />
            </Dialog.Close>
          </div>
          <TradePanel key={side} {...props} initialSide={side} onAccepted={() => setSide("")} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
