// The rules of a token's first moments, as its creator chooses them: whole rules or none.
const CHOICES = {
  fee: { label: "Extra fee on every buy, falling to nothing", share: "openingFee", time: "openingFeeS", unit: "s", rules: [["None", "", ""], ["10% in 15 s", "10", "15"], ["20% in 30 s", "20", "30"], ["50% in 60 s", "50", "60"]] },
  cap: { label: "The most one account may hold", share: "openingCap", time: "openingCapMin", unit: "min", rules: [["Any", "", ""], ["1% for 5 min", "1", "5"], ["2% for 10 min", "2", "10"], ["5% for 30 min", "5", "30"]] },
};
const BPS_PER_PERCENT = 100;

const whole = (text) => (/^\d{1,3}$/.test(text) ? Number(text) : 0);

/** The rules of a draft as the API takes them; none is none. */
export function openingOf(draft) {
  const rules = {
    opening_fee_bps: whole(draft.openingFee) * BPS_PER_PERCENT,
    opening_fee_ms: whole(draft.openingFeeS) * 1_000,
    opening_cap_bps: whole(draft.openingCap) * BPS_PER_PERCENT,
    opening_cap_ms: whole(draft.openingCapMin) * 60_000,
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value > 0));
}

/** The same in one text, as the server's check reads it; empty for no rules. */
export function openingText(draft) {
  const { opening_fee_bps: fee = 0, opening_fee_ms: feeMs = 0, opening_cap_bps: cap = 0, opening_cap_ms: capMs = 0 } = openingOf(draft);
  return fee || cap ? [fee, feeMs, cap, capMs].join(",") : "";
}

export function OpeningFields({ draft, onChange, error }) {
  return (
    <details className="bh-launch__opening" open={Boolean(draft.openingFee || draft.openingCap)}>
      <summary className="bh-title" data-testid="launch-opening">3 Fair launch</summary>
      {Object.entries(CHOICES).map(([name, { label, share, time, rules }]) => (
        <div key={name} className="bh-field" role="group" aria-label={label}>
          <span className="bh-label">{label}</span>
          <div className="bh-launch__buys">
            {rules.map(([words, percent, lasting]) => (
              <button key={words} type="button" className="bh-chip" aria-pressed={draft[share] === percent} onClick={() => onChange({ [share]: percent, [time]: lasting })} data-testid={`opening-${name}-${percent || "none"}`}>
                {words}
              </button>
            ))}
          </div>
        </div>
      ))}
      <div className={error ? "bh-error" : "bh-hint"}>{error || "Optional. From the moment it trades; for everybody, you too. Shown on its page before anyone can buy."}</div>
    </details>
  );
}
