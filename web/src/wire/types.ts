// Made by tools/wire-types.mjs from view/wire.txt, k8s/schema/tilt.txt, k8s/schema/types.txt. Do not edit: npm run types.

export interface View {
  uiSession?: UISession | null;
  uiResources?: UIResource[] | null;
  uiButtons?: UIButton[] | null;
  clusters?: Cluster[] | null;
  logList?: LogList | null;
  tiltStartTime: string;
  isComplete?: boolean | null;
  logEnd?: number | null;
  logFaults?: LogFault[] | null;
}

export interface Snapshot {
  view: View;
  createdAt?: string | null;
  path?: string | null;
}

export interface LogLine {
  p: number;
  c?: number | null;
  t: number;
  l: number;
  s?: string | null;
  m?: string | null;
  f?: number | null;
  g?: string | null;
  x: string;
  k?: number | null;
}

export interface LogPage {
  from: number;
  to: number;
  more: boolean;
  first: number;
}

export interface Detail {
  name: string;
  targets: string[];
  objects: string[];
  dependsOn: string[];
  dependents: string[];
  building?: Build | null;
  history: Build[];
  pods: Pod[];
  forwards: Forward[];
  server?: Server | null;
  unwell?: string | null;
  noPod?: string | null;
  firstStarted?: string | null;
  firstReady?: string | null;
}

export interface History {
  resource: string;
  waiting?: Wait[] | null;
  updates?: Update[] | null;
}

export interface UISession {
  kind?: string | null;
  apiVersion?: string | null;
  metadata?: ObjectMeta | null;
  spec?: UISessionSpec | null;
  status?: UISessionStatus | null;
}

export interface UIResource {
  kind?: string | null;
  apiVersion?: string | null;
  metadata?: ObjectMeta | null;
  spec?: UIResourceSpec | null;
  status?: UIResourceStatus | null;
}

export interface UIButton {
  kind?: string | null;
  apiVersion?: string | null;
  metadata?: ObjectMeta | null;
  spec?: UIButtonSpec | null;
  status?: UIButtonStatus | null;
}

export interface Cluster {
  kind?: string | null;
  apiVersion?: string | null;
  metadata?: ObjectMeta | null;
  spec?: ClusterSpec | null;
  status?: ClusterStatus | null;
}

export interface LogList {
  spans?: Record<string, LogSpan> | null;
  segments?: LogSegment[] | null;
  fromCheckpoint?: number | null;
  toCheckpoint?: number | null;
}

export interface LogFault {
  spanId: string;
  manifestName: string;
  errors: number;
  warnings: number;
}

export interface Build {
  spanId: string;
  reason: string;
  startTime: string;
  finishTime?: string | null;
  error?: string | null;
}

export interface Pod {
  name: string;
  namespace: string;
  status: string;
  phase: string;
  createdAt: string;
  deleting: boolean;
  errors: string[];
  containers: Container[];
}

export interface Forward {
  url: string;
  name: string;
  pod?: string | null;
  healthy: boolean;
  error?: string | null;
}

export interface Server {
  spanId: string;
  pid?: number | null;
  ready: boolean;
  fault?: string | null;
}

export interface Wait {
  reason: string;
  on?: string[] | null;
  from: string;
  until?: string | null;
}

export interface Update {
  resource: string;
  number: number;
  kind: string;
  causes: Cause[];
  wanted: string;
  started: string;
  ended?: string | null;
  waits?: Wait[] | null;
  stages?: Stage[] | null;
  outcome: Outcome;
  logs?: LogRange[] | null;
}

export interface ObjectMeta {
  name?: string | null;
  generateName?: string | null;
  namespace?: string | null;
  selfLink?: string | null;
  uid?: string | null;
  resourceVersion?: string | null;
  generation?: number | null;
  creationTimestamp?: string | null;
  deletionTimestamp?: string | null;
  deletionGracePeriodSeconds?: number | null;
  labels?: Record<string, string> | null;
  annotations?: Record<string, string> | null;
  ownerReferences?: OwnerReference[] | null;
  finalizers?: string[] | null;
  managedFields?: ManagedFieldsEntry[] | null;
}

export interface UISessionSpec {

}

export interface UISessionStatus {
  featureFlags?: UIFeatureFlag[] | null;
  needsAnalyticsNudge?: boolean | null;
  runningTiltBuild?: TiltBuild | null;
  suggestedTiltVersion?: string | null;
  versionSettings?: VersionSettings | null;
  tiltCloudUsername?: string | null;
  tiltCloudTeamName?: string | null;
  tiltCloudSchemeHost?: string | null;
  tiltCloudTeamID?: string | null;
  fatalError?: string | null;
  tiltStartTime?: string | null;
  tiltfileKey?: string | null;
}

export interface UIResourceSpec {

}

export interface UIResourceStatus {
  lastDeployTime?: string | null;
  triggerMode?: number | null;
  buildHistory?: UIBuildTerminated[] | null;
  currentBuild?: UIBuildRunning | null;
  pendingBuildSince?: string | null;
  hasPendingChanges?: boolean | null;
  endpointLinks?: UIResourceLink[] | null;
  k8sResourceInfo?: UIResourceKubernetes | null;
  composeResourceInfo?: UIResourceCompose | null;
  localResourceInfo?: UIResourceLocal | null;
  runtimeStatus?: string | null;
  updateStatus?: string | null;
  specs?: UIResourceTargetSpec[] | null;
  queued?: boolean | null;
  order?: number | null;
  disableStatus: DisableResourceStatus;
  waiting?: UIResourceStateWaiting | null;
  conditions?: UIResourceCondition[] | null;
}

export interface UIButtonSpec {
  location: UIComponentLocation;
  text: string;
  iconName?: string | null;
  iconSVG?: string | null;
  disabled?: boolean | null;
  requiresConfirmation?: boolean | null;
  inputs?: UIInputSpec[] | null;
}

export interface UIButtonStatus {
  lastClickedAt: string;
  inputs?: UIInputStatus[] | null;
}

export interface ClusterSpec {
  connection?: ClusterConnection | null;
  defaultRegistry?: RegistryHosting | null;
}

export interface ClusterStatus {
  arch?: string | null;
  error?: string | null;
  connectedAt?: string | null;
  registry?: RegistryHosting | null;
  version?: string | null;
  connection?: ClusterConnectionStatus | null;
}

export interface LogSpan {
  manifestName?: string | null;
}

export interface LogSegment {
  spanId?: string | null;
  time: string;
  text: string;
  level: string;
  anchor?: boolean | null;
  fields?: Record<string, string> | null;
}

export interface Container {
  name: string;
  isInit: boolean;
  ready: boolean;
  restarts: number;
  state: string;
}

export interface Cause {
  kind: string;
  files?: unknown | null;
  by?: string | null;
  changes?: unknown | null;
  image?: string | null;
  reason?: string | null;
  message?: string | null;
  pod?: string | null;
  container?: string | null;
}

export interface Stage {
  kind: string;
  name?: string | null;
  from: string;
  until?: string | null;
  facts?: unknown | null;
  parts?: Stage[] | null;
}

export interface Outcome {
  result: string;
  reason?: string | null;
  message?: string | null;
}

export interface LogRange {
  span: string;
  from: number;
  until?: number | null;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | null;
  blockOwnerDeletion?: boolean | null;
}

export interface ManagedFieldsEntry {
  manager?: string | null;
  operation?: string | null;
  apiVersion?: string | null;
  time?: string | null;
  fieldsType?: string | null;
  fieldsV1?: unknown | null;
  subresource?: string | null;
}

export interface UIFeatureFlag {
  name?: string | null;
  value?: boolean | null;
}

export interface TiltBuild {
  version?: string | null;
  commitSHA?: string | null;
  date?: string | null;
  dev?: boolean | null;
}

export interface VersionSettings {
  checkUpdates?: boolean | null;
}

export interface UIBuildTerminated {
  error?: string | null;
  warnings?: string[] | null;
  startTime?: string | null;
  finishTime?: string | null;
  spanID?: string | null;
  isCrashRebuild?: boolean | null;
}

export interface UIBuildRunning {
  startTime?: string | null;
  spanID?: string | null;
}

export interface UIResourceLink {
  url?: string | null;
  name?: string | null;
}

export interface UIResourceKubernetes {
  podName?: string | null;
  podCreationTime?: string | null;
  podUpdateStartTime?: string | null;
  podStatus?: string | null;
  podStatusMessage?: string | null;
  allContainersReady?: boolean | null;
  podRestarts?: number | null;
  spanID?: string | null;
  displayNames?: string[] | null;
}

export interface UIResourceCompose {
  healthStatus?: string | null;
}

export interface UIResourceLocal {
  pid?: number | null;
  isTest?: boolean | null;
}

export interface UIResourceTargetSpec {
  id?: string | null;
  type?: string | null;
  hasLiveUpdate?: boolean | null;
}

export interface DisableResourceStatus {
  enabledCount: number;
  disabledCount: number;
  state: string;
  sources: DisableSource[];
}

export interface UIResourceStateWaiting {
  reason: string;
  on?: UIResourceStateWaitingOnRef[] | null;
}

export interface UIResourceCondition {
  type: string;
  status: string;
  lastTransitionTime?: string | null;
  reason?: string | null;
  message?: string | null;
}

export interface UIComponentLocation {
  componentID: string;
  componentType: string;
}

export interface UIInputSpec {
  name: string;
  label: string;
  text?: UITextInputSpec | null;
  bool?: UIBoolInputSpec | null;
  hidden?: UIHiddenInputSpec | null;
  choice?: UIChoiceInputSpec | null;
}

export interface UIInputStatus {
  name: string;
  text?: UITextInputStatus | null;
  bool?: UIBoolInputStatus | null;
  hidden?: UIHiddenInputStatus | null;
  choice?: UIChoiceInputStatus | null;
}

export interface ClusterConnection {
  kubernetes?: KubernetesClusterConnection | null;
  docker?: DockerClusterConnection | null;
}

export interface RegistryHosting {
  host: string;
  hostFromClusterNetwork?: string | null;
  hostFromContainerRuntime?: string | null;
  help?: string | null;
  singleName?: string | null;
}

export interface ClusterConnectionStatus {
  kubernetes?: KubernetesClusterConnectionStatus | null;
}

export interface DisableSource {
  configMap?: ConfigMapDisableSource | null;
  everyConfigMap?: ConfigMapDisableSource[] | null;
}

export interface UIResourceStateWaitingOnRef {
  group?: string | null;
  apiVersion?: string | null;
  kind?: string | null;
  name: string;
}

export interface UITextInputSpec {
  defaultValue?: string | null;
  placeholder?: string | null;
}

export interface UIBoolInputSpec {
  defaultValue?: boolean | null;
  trueString?: string | null;
  falseString?: string | null;
}

export interface UIHiddenInputSpec {
  value: string;
}

export interface UIChoiceInputSpec {
  choices: string[];
}

export interface UITextInputStatus {
  value: string;
}

export interface UIBoolInputStatus {
  value: boolean;
}

export interface UIHiddenInputStatus {
  value: string;
}

export interface UIChoiceInputStatus {
  value: string;
}

export interface KubernetesClusterConnection {
  context?: string | null;
  namespace?: string | null;
}

export interface DockerClusterConnection {
  host?: string | null;
}

export interface KubernetesClusterConnectionStatus {
  context: string;
  namespace: string;
  cluster: string;
  product?: string | null;
  configPath?: string | null;
}

export interface ConfigMapDisableSource {
  name: string;
  key: string;
}
