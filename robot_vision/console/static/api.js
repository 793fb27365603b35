// Commands to the service over HTTP, and their outcome as text.

const TIMEOUT_MS = 5000;

/** The text of an error: `{detail}`, either a string or FastAPI's list of errors. */
export async function problemOf(response, { login = false } = {}) {
  if (response.status === 401 && !login) return "this console requires its token: open /login";
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
    return detail.map((item) => `${item.loc.at(-1)}: ${item.msg}`).join("; ");
  } catch {
    return `the console answered ${response.status} ${response.statusText}`;
  }
}

/** Sends a command; returns {done, message}. It never throws: failures become messages. */
export async function command(path, body = undefined) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
      keepalive: true,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) return { done: false, message: await problemOf(response) };
    return await response.json();
  } catch (error) {
    const why = error.name === "TimeoutError" ? "no answer within 5 s" : "no connection";
    return { done: false, message: `the console cannot be reached: ${why}` };
  }
}
