// The Sign-In With Solana text: one function, so that what a wallet shows and what the server compares are the same.

const FIELDS = [
  ["URI", "uri"],
  ["Version", "version"],
  ["Chain ID", "chainId"],
  ["Nonce", "nonce"],
  ["Issued At", "issuedAt"],
  ["Expiration Time", "expirationTime"],
  ["Not Before", "notBefore"],
  ["Request ID", "requestId"],
];

/** The message of the sign-in `input` for `address`, as the standard writes it. */
export function signInText(input, address) {
  const blocks = [`${input.domain} wants you to sign in with your Solana account:\n${address}`];
  if (input.statement) blocks.push(input.statement);
  const fields = FIELDS.filter(([, key]) => input[key]).map(([label, key]) => `${label}: ${input[key]}`);
  if (input.resources?.length) fields.push("Resources:", ...input.resources.map((r) => `- ${r}`));
  if (fields.length) blocks.push(fields.join("\n"));
  return blocks.join("\n\n");
}

export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
