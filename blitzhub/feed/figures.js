export const shortAddress = (text) => (text.length > 8 ? `${text.slice(0, 4)}…${text.slice(-4)}` : text);
