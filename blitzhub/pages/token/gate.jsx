// Shows a token's page only at that token's address: while another one is being read, the last one must not be traded.
import { useLocation } from "react-router";

const Block = ({ className = "", style }) => <span className={`bh-skeleton ${className}`} style={style} aria-hidden />;

function Loading() {
  return (
    <div className="bh-token" aria-busy="true" data-testid="token-loading">
      <div className="bh-tokenbar">
        <div className="bh-tokenbar__head">
          <Block style={{ width: 40, height: 40 }} />
          <Block style={{ width: 160, height: 20 }} />
        </div>
      </div>
      <div className="bh-token__grid">
        <div className="bh-token__main">
          <Block className="bh-token__chart" />
          <Block className="bh-token__tabs" />
        </div>
        <div className="bh-token__side">
          <Block className="bh-token__trade" style={{ height: 398 }} />
          <Block style={{ height: 82 }} />
          <Block style={{ height: 106 }} />
        </div>
      </div>
    </div>
  );
}

export function TokenGate({ token = "", bare = false, children }) {
  const here = useLocation().pathname.split("/").filter(Boolean).pop();
  if (token && token === here) return children;
  return bare ? null : <Loading />;
}
