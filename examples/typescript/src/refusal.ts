/** Reading a refused call: google.rpc.Status, which travels in a trailer. */

import { status, type ServiceError } from "@grpc/grpc-js";

import { google } from "./gate.js";

/** What a client learns of a refusal; the reason is empty when gRPC itself refused. */
export interface Refusal {
    code: string;
    reason: string;
    text: string;
    field: string;
}

const AWAY = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED];

export function isServiceError(error: unknown): error is ServiceError {
    return error instanceof Error && "code" in error && "metadata" in error;
}

/** Whether a call failed because the gateway is away, late or overloaded: "unknown", not "no". Ask again, same ids. */
export function isAway(error: unknown): boolean {
    return isServiceError(error) && AWAY.includes(error.code);
}

/** Read the stable reason code, and the field at fault, out of the error of a call. */
export function refusalOf(error: ServiceError): Refusal {
    const refusal: Refusal = { code: status[error.code], reason: "", text: error.details, field: "" };
    const [bytes] = error.metadata.get("grpc-status-details-bin");
    if (bytes instanceof Buffer) {
        for (const detail of google.rpc.Status.deserialize(bytes).details) {
            if (detail.type_url.endsWith("/google.rpc.ErrorInfo")) {
                refusal.reason = google.rpc.ErrorInfo.deserialize(detail.value).reason;
            } else if (detail.type_url.endsWith("/google.rpc.BadRequest")) {
                const [violation] = google.rpc.BadRequest.deserialize(detail.value).fieldViolations;
                refusal.field = violation?.field ?? "";
            }
        }
    }
    return refusal;
}
