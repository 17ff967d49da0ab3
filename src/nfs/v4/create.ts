import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { AttributeChanges, FileName } from "../file.ts";
import { writeAttributeChanges } from "./attributes.ts";
import { readBitmap } from "./bitmap.ts";
import { skipChangeInfo } from "./change-info.ts";
import type { Operation } from "./operation.ts";
import { currentStateid, stateidBytes } from "./stateid.ts";

const shareAccessWrite = 2;
const wantNoDelegation = 0x400;
const shareDenyNone = 0;
const openCreate = 1;
const guarded = 1;
const claimNull = 0;
const ownerName = "berth";

/**
 * OPEN that creates (RFC 8881 §18.16) and fails where anything is. GUARDED, not EXCLUSIVE4_1: a session
 * already answers a repeated request as the first (RFC 8881 §2.10.6), and attributes can be set at once.
 */
export function openNew(clientId: bigint, name: FileName, attributes: AttributeChanges): Operation<void> {
  return {
    code: 18,
    name: "OPEN",
    once: true,
    encode: (writer) => {
      writer
        .uint32(0)
        .uint32(shareAccessWrite | wantNoDelegation)
        .uint32(shareDenyNone);
      writer.uint64(clientId).text(ownerName);
      writer.uint32(openCreate).uint32(guarded);
      writeAttributeChanges(writer, attributes);
      writer.uint32(claimNull).text(name);
    },
    decode: readOpened,
  };
}

/** `OPEN4resok` (RFC 8881 §18.16.2) */
function readOpened(reader: XdrReader): void {
  reader.skip(stateidBytes);
  skipChangeInfo(reader);
  reader.uint32(); // flags
  readBitmap(reader);
  const delegation = reader.uint32();
  if (delegation === noDelegation) return;
  if (delegation !== noDelegationBecause) throw new XdrError("a delegation that was not asked for");
  const why = reader.uint32();
  if (why === contention || why === resource) reader.boolean();
}

/** `open_delegation_type4`, `why_no_delegation4` (RFC 8881 §18.16.1). */
const noDelegation = 0;
const noDelegationBecause = 3;
const contention = 1;
const resource = 2;

/** CLOSE (RFC 8881 §18.2) of what the OPEN before it opened. */
export const closeNew: Operation<void> = {
  code: 4,
  name: "CLOSE",
  encode: (writer) => void writer.uint32(0).fixedOpaque(currentStateid),
  decode: (reader) => reader.skip(stateidBytes),
};
