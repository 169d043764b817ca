/** Sends bytes and tells how many have gone, which fetch() cannot. */

export type Bytes = Blob | FormData;

/** Called with the number of bytes that have gone. */
export type Sent = (bytes: number) => void;

export interface Transferred {
  /** 0: no answer. */
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

/** Rejects with the signal's reason when that aborts. */
export function sendBytes(
  method: string,
  url: string,
  headers: Headers,
  bytes: Bytes,
  sent: Sent,
  signal: AbortSignal,
): Promise<Transferred> {
  const request = new XMLHttpRequest();
  const abort = (): void => request.abort();
  return new Promise<Transferred>((resolve, reject) => {
    signal.throwIfAborted();
    request.open(method, url);
    for (const [name, value] of headers) request.setRequestHeader(name, value);
    // A form sets its own type, with the boundary.
    if (bytes instanceof Blob) request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => sent(event.loaded);
    request.onloadend = () => {
      if (signal.aborted) reject(signal.reason as Error);
      else {
        const { status, responseText: text } = request;
        resolve({ status, text, retryAfter: status === 0 ? null : request.getResponseHeader("Retry-After") });
      }
    };
    signal.addEventListener("abort", abort);
    request.send(bytes);
  }).finally(() => signal.removeEventListener("abort", abort));
}
