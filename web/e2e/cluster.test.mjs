// The page on a session that deploys to the cluster that KUBECONFIG names: from the first look over an edit to green.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { browser as launch, freePort, open, picture, Session } from "./session.mjs";

const kubeconfig = process.env.KUBECONFIG ?? "none";
const skip = kubeconfig === "none" ? "no KUBECONFIG names a cluster" : false;
const namespace = `page-${process.pid}`;
const base = process.env.BASE_IMAGE ?? "localhost:5000/busybox:1";

const files = (port) => ({
  Tiltfile: `
allow_k8s_contexts(k8s_context())
docker_build('page-web', 'web')
k8s_yaml('web.yaml')
k8s_resource('web', port_forwards='${port}:8080', labels=['shop'])
`,
  "web/Dockerfile": `FROM ${base}\nCOPY index.html /www/index.html\nCMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n`,
  "web/index.html": "one\n",
  "web.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: page-web
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
`,
});

let session, browser, page, port;

before(async () => {
  if (skip) return;
  execFileSync("kubectl", ["create", "namespace", namespace]);
  port = await freePort();
  session = new Session(files(port), { KUBECONFIG: kubeconfig });
  [, browser] = await Promise.all([session.start([`--namespace=${namespace}`]), launch()]);
  page = await open(browser, session.url);
});
after(async () => {
  await browser?.close();
  await session?.remove();
  if (!skip) execFileSync("kubectl", ["delete", "namespace", namespace, "--wait=false"]);
});

const row = () => page.getByRole("row").filter({ has: page.getByRole("link", { name: "web", exact: true }) });
const pod = () => row().locator(".of-pod .mono").textContent();

test("a workload comes up, with its pod and a port that leads to it", { skip }, async () => {
  await row().getByText("Runtime Ready").waitFor();
  assert.match(await pod(), /^web-/);
  const link = row().getByRole("link", { name: `localhost:${port}` });
  assert.equal(await (await fetch(await link.getAttribute("href"))).text(), "one\n");
  await picture(page, "cluster-table-light");
});

test("an edit becomes another pod", { skip }, async () => {
  const before = await pod();
  session.write("web/index.html", "two\n");
  await page.waitForFunction((before) => {
    const now = document.querySelector(".of-pod .mono")?.textContent;
    return now && now !== before;
  }, before);
  await row().getByText("Runtime Ready").waitFor();
});

test("a build that fails says why; its mend deploys again", { skip }, async () => {
  await row().getByRole("link", { name: "web", exact: true }).click();
  session.write("web/Dockerfile", `FROM ${base}\nRUN echo no luck && exit 3\n`);
  await page.locator(".fault").first().waitFor();
  await page.locator(".line", { hasText: "no luck" }).first().waitFor();
  session.write("web/Dockerfile", files(port)["web/Dockerfile"]);
  await page.locator(".fault").first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Details" }).click();
  const facts = page.getByRole("region", { name: "About web" });
  await facts.getByRole("heading", { name: "Pods" }).waitFor();
  await facts.getByText("web: running").first().waitFor();
  await facts.getByRole("heading", { name: "Port-forwards" }).waitFor();
  await picture(page, "cluster-detail-light");
  assert.deepEqual(page.wrongs, []);
});
