/** The gateway as an adapter sees it: its services, typed from the .proto files, and the calls every adapter makes. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import {
    credentials,
    InterceptingCall,
    loadPackageDefinition,
    type ClientReadableStream,
    type Interceptor,
    type requestCallback,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

import type { ProtoGrpcType } from "./generated/adapter.js";
import type { Claim__Output } from "./generated/tidegate/v1/Claim.js";
import type { ClaimOrdersResponse__Output } from "./generated/tidegate/v1/ClaimOrdersResponse.js";
import type { Execution } from "./generated/tidegate/v1/Execution.js";
import type { ListOrdersResponse__Output } from "./generated/tidegate/v1/ListOrdersResponse.js";
import type { MarketDataServiceClient } from "./generated/tidegate/v1/MarketDataService.js";
import type { Order__Output } from "./generated/tidegate/v1/Order.js";
import type { OrderServiceClient } from "./generated/tidegate/v1/OrderService.js";
import type { ReportExecutionsResponse__Output } from "./generated/tidegate/v1/ReportExecutionsResponse.js";
import type { WatchBarsResponse__Output } from "./generated/tidegate/v1/WatchBarsResponse.js";
import type { WatchOrdersResponse__Output } from "./generated/tidegate/v1/WatchOrdersResponse.js";

/** At most so many entries go into one call; more are refused with BATCH_TOO_LARGE. */
const ENTRIES_MAX = 1_000;
const TIMEOUT_MS = 30_000;

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
// The options are those of `npm run generate`, so that the types are true.
const definition = loadSync("adapter.proto", {
    includeDirs: [folder("../protos"), folder("../../../protos")],
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
});
export const { google, tidegate } = loadPackageDefinition(definition) as unknown as ProtoGrpcType;

// As the Python client does: wait for a gateway that is away, and ask again what found the RiskManager away.
const SERVICE_CONFIG = {
    methodConfig: [
        {
            name: [{ service: "tidegate.v1.OrderService" }, { service: "tidegate.v1.MarketDataService" }],
            waitForReady: true,
            retryPolicy: {
                maxAttempts: 5,
                initialBackoff: "0.2s",
                maxBackoff: "3s",
                backoffMultiplier: 2,
                retryableStatusCodes: ["UNAVAILABLE"],
            },
        },
    ],
};

// A gateway that stands still closes no connection: only a ping finds out.
const PINGS = {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
};

// As the Python client does: a token if there is one, and TLS where the gateway's authority is named.
const { TIDEGATE_TOKEN: token, TIDEGATE_CA: authority } = process.env;

const withToken: Interceptor = (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
        start(metadata, listener, next) {
            metadata.set("authorization", `Bearer ${token}`);
            next(metadata, listener);
        },
    });

/** What an adapter asks of the gateway and tells it, in its own name. */
export class Gate {
    private readonly orders: OrderServiceClient;
    private readonly marketData: MarketDataServiceClient;

    constructor(
        address: string,
        private readonly adapter: string,
        private readonly account: string,
    ) {
        const interceptors = token ? [withToken] : [];
        const options = { "grpc.service_config": JSON.stringify(SERVICE_CONFIG), ...PINGS, interceptors };
        const security = authority ? credentials.createSsl(readFileSync(authority)) : credentials.createInsecure();
        this.orders = new tidegate.v1.OrderService(address, security, options);
        this.marketData = new tidegate.v1.MarketDataService(address, security, options);
    }

    /** First all that this adapter has to do now, then what comes; it ends with an error only. */
    watchOrders(): ClientReadableStream<WatchOrdersResponse__Output> {
        return watched(this.orders.WatchOrders({ adapter: this.adapter }));
    }

    /** First the newest bar, then each as it comes. */
    watchBars(): ClientReadableStream<WatchBarsResponse__Output> {
        return watched(this.marketData.WatchBars({ adapter: this.adapter }));
    }

    /** The orders that this adapter has claimed and that are not done, oldest first. */
    async *workingOrders(): AsyncGenerator<Order__Output> {
        let pageToken = "";
        do {
            const page = await answer<ListOrdersResponse__Output>((done) =>
                this.orders.ListOrders({ pageSize: ENTRIES_MAX, pageToken }, deadline(), done),
            );
            yield* page.orders.filter((order) => order.claimedBy === this.adapter);
            pageToken = page.nextPageToken;
        } while (pageToken);
    }

    /** Take orders, before they are sent; one claim an order, in their order. */
    async claim(orders: Order__Output[]): Promise<Claim__Output[]> {
        const claims: Claim__Output[] = [];
        for (const part of parts(orders)) {
            const orderIds = part.map((order) => order.orderId);
            const response = await answer<ClaimOrdersResponse__Output>((done) =>
                this.orders.ClaimOrders({ adapter: this.adapter, orderIds }, deadline(), done),
            );
            claims.push(...response.claims);
        }
        return claims;
    }

    /** Tell what the broker did. Telling it again is safe: an execution id is booked once an account. */
    async report(executions: Execution[]): Promise<void> {
        for (const part of parts(executions)) {
            const request = { adapter: this.adapter, account: this.account, executions: part };
            const response = await answer<ReportExecutionsResponse__Output>((done) =>
                this.orders.ReportExecutions(request, deadline(), done),
            );
            response.sequences.forEach((sequence, index) => {
                if (sequence === "0") {
                    console.error(`not booked, its id was used before: ${JSON.stringify(part[index])}`);
                }
            });
        }
    }
}

function answer<Response>(start: (done: requestCallback<Response>) => unknown): Promise<Response> {
    return new Promise((resolve, reject) => {
        start((error, response) => (response === undefined ? reject(error) : resolve(response)));
    });
}

function deadline(): { deadline: number } {
    return { deadline: Date.now() + TIMEOUT_MS };
}

function watched<Response>(stream: ClientReadableStream<Response>): ClientReadableStream<Response> {
    // The loop that reads the stream throws its error; once that loop has ended, nobody else may be left to take it.
    return stream.on("error", () => undefined);
}

function parts<T>(entries: T[]): T[][] {
    const count = Math.ceil(entries.length / ENTRIES_MAX);
    return Array.from({ length: count }, (_, part) => entries.slice(part * ENTRIES_MAX, (part + 1) * ENTRIES_MAX));
}
