// The page on a session that deploys to the cluster that KUBECONFIG names: from the first look over an edit to green.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { browser as launch, freePort, open, picture, Session, until } from "./session.mjs";

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

test("the id of a pod is copied, and it is told which cluster that is", { skip }, async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: session.url });
  await row().getByRole("button", { name: "Copy the pod id of web" }).click();
  await row().getByRole("button", { name: "copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await pod());
  await page.getByRole("button", { name: "Cluster", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Kubernetes" });
  await dialog.getByText("Healthy").waitFor();
  const context = execFileSync("kubectl", ["config", "current-context"], { encoding: "utf8" }).trim();
  for (const [name, value] of [["Context", context], ["Namespace", namespace]]) await dialog.locator("div", { has: page.getByText(name, { exact: true }) }).getByText(value, { exact: true }).first().waitFor();
  await page.keyboard.press("Escape");
});

test("the view holds what the page of Tilt shows of a workload", { skip }, async () => {
  const ask = () => page.evaluate(async () => (await fetch("/api/view")).json());
  const named = (list, name) => list.find((object) => object.metadata.name === name);
  // The readiness of a pod may be told after that of its workload.
  const view = await until("all containers of the pod are ready", async () => {
    const view = await ask();
    return named(view.uiResources, "web").status.k8sResourceInfo?.allContainersReady && view;
  });
  const { metadata, status } = named(view.uiResources, "web");
  assert.deepEqual([metadata.labels, status.updateStatus, status.runtimeStatus], [{ shop: "shop" }, "ok", "ok"]);
  assert.deepEqual(status.endpointLinks, [{ url: `http://localhost:${port}/` }]);
  assert.deepEqual(status.specs.map(({ type }) => type).toSorted(), ["image", "k8s"]);
  assert.equal(status.buildHistory.length, 1);
  const { podName, podCreationTime, podStatus, podRestarts = 0, spanID, displayNames } = status.k8sResourceInfo;
  assert.match(podName, /^web-/);
  assert.match(podCreationTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual([podStatus, podRestarts, displayNames], ["Running", 0, ["web:deployment"]]);
  const spans = Object.entries(view.logList.spans).filter(([, { manifestName }]) => manifestName === "web").map(([id]) => id);
  assert.ok(spans.includes(status.buildHistory[0].spanID), `${status.buildHistory[0].spanID} of ${spans}`);
  assert.equal(typeof spanID, "string");
  const cluster = named(view.clusters, "default");
  assert.ok(cluster.status.connection.kubernetes.context, JSON.stringify(cluster.status));
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
