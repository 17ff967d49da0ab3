const multipliers: Readonly<Record<string, bigint>> = {
  "": 1n,
  k: 10n ** 3n,
  M: 10n ** 6n,
  G: 10n ** 9n,
  T: 10n ** 12n,
  P: 10n ** 15n,
  E: 10n ** 18n,
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};

/**
 * Bytes of a Kubernetes quantity (`1Gi`, `1.5G`, `1024`), rounded up as Kubernetes does.
 * @returns undefined for what is none; neither exponents nor milli-bytes are sizes that anyone means
 */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^(\d+)(?:\.(\d+))?([A-Za-z]*)$/.exec(text);
  const multiplier = multipliers[match?.[3] ?? ""];
  if (match === null || multiplier === undefined) return undefined;
  const [, whole = "", fraction = ""] = match;
  const scale = 10n ** BigInt(fraction.length);
  return (BigInt(whole + fraction) * multiplier + scale - 1n) / scale;
}
