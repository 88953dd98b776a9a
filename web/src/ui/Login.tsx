// The session does not know this page: how to get in.

import { useState } from "preact/hooks";
import { logIn } from "../app/api";

export function Login() {
  const [token, setToken] = useState("");
  const [error, setError] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    logIn(token.trim()).then(
      () => location.reload(),
      (error: unknown) => setError(error instanceof Error ? error.message : String(error)),
    );
  };
  return (
    <main class="hero">
      <form class="login" onSubmit={submit}>
        <h1>This session asks for a token</h1>
        <p>
          It can be reached from other machines, so the page does not bring the token with it. On the machine where tilt runs, it is in{" "}
          <code>~/.tilt-dev/token</code>.
        </p>
        <p>Through an SSH tunnel no token is needed: <code>ssh -L 10350:localhost:10350 HOST</code>, with tilt listening on localhost.</p>
        <label class="input">
          <span>Token</span>
          <input type="password" autocomplete="off" autoFocus value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        {error && <p class="is-unhealthy" role="alert">{error}</p>}
        <button type="submit" class="button primary">Enter</button>
      </form>
    </main>
  );
}
