import type {
  DescMessage,
  DescMethod,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Call } from "../core/call.ts";

/**
 * The handler of one RPC. Its request has passed `checkRequest`; its answer may be a plain object of
 * the response's shape. It fails with a `BerthError`.
 */
export type Handler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => Promise<MessageInitShape<O>>;

/**
 * What implements a service of a `.proto` file: a handler for each unary RPC that is offered, under
 * the name that the generated code gives it. What is left out answers UNIMPLEMENTED.
 */
export type Implementation<S extends DescService> = {
  readonly [K in keyof S["method"]]?: S["method"][K] extends {
    methodKind: "unary";
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? Handler<I, O>
    : never;
};

/** A handler whose messages' types are known only at run time, from the descriptor of its method. */
export type AnyHandler = (request: Message, call: Call) => Promise<Record<string, unknown>>;

/** One RPC of a service, with its handler if it has one. */
export interface Method {
  readonly descriptor: DescMethod;
  /** `CreateVolume`: how logs and messages name it. */
  readonly name: string;
  /** `/csi.v1.Controller/CreateVolume`: how it is called. */
  readonly path: string;
  readonly handler?: AnyHandler;
}

/** A service, whole: every RPC that its descriptor has. */
export interface Service {
  readonly descriptor: DescService;
  readonly methods: readonly Method[];
}

/** Joins a service's descriptor and what implements it. */
export function service<S extends DescService>(descriptor: S, implementation: Implementation<S>): Service {
  const methods = descriptor.methods.map((method): Method => {
    // `Implementation` has paired each name with the messages of its method; from here on they are
    // told apart by their descriptors.
    const handler: AnyHandler | undefined = Reflect.get(implementation, method.localName);
    return {
      descriptor: method,
      name: method.name,
      path: `/${descriptor.typeName}/${method.name}`,
      ...(handler && { handler: handler.bind(implementation) }),
    };
  });
  return { descriptor, methods };
}
