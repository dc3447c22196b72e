// One's own SOL in the header: rounded down, exact in the tooltip.
import { exactSol, ownSol } from "$/public/external/blitzhub/feed/figures.js";

export function Balance({ lamports = "" }) {
  if (!lamports) return <span className="bh-fig bh-fig-sol bh-balance">—</span>;
  return (
    <span className="bh-fig bh-balance" title={`${exactSol(lamports)} SOL`} data-testid="balance" data-lamports={lamports}>
      {ownSol(lamports)} SOL
    </span>
  );
}
