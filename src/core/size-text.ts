const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `1.5 GiB` */
export function sizeText(bytes: bigint): string {
  let value = Number(bytes);
  let unit = 0;
  // What would be rounded to 1024.0 is 1.0 of the next unit.
  for (; value >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** To the byte, and as people say it: `10737418240 bytes (10 GiB)`; what is less than 1 KiB is `512 bytes`. */
export function bytesText(bytes: bigint): string {
  return bytes < 1024n ? `${bytes} bytes` : `${bytes} bytes (${sizeText(bytes).replace(".0 ", " ")})`;
}
