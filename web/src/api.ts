// Requests to the server that this page came from; nothing else is ever asked.
import type { Failure } from "./contract.gen"

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    throw new Refused(0, "Deskmate does not answer.", "Start it again: deskmate serve")
  }
  if (response.ok) return (await response.json()) as T
  const failure = (await response.json().catch(() => null)) as Failure | null
  throw new Refused(response.status, failure?.error ?? "That did not work.", failure?.hint ?? "")
}

export const get = <T>(path: string) => ask<T>("GET", path)
export const post = <T>(path: string, body: unknown = {}) => ask<T>("POST", path, body)
export const patch = <T>(path: string, body: unknown) => ask<T>("PATCH", path, body)
export const remove = <T>(path: string, body: unknown = {}) => ask<T>("DELETE", path, body)
