/** The operator's deployments, looked up either way. */
export interface Deployments {
  /** The deployment that serves a model; a deployment's own name is accepted too. */
  deploymentOf(model: string): string | null;
  /** The model behind a model or deployment name: what Azure prices. */
  modelOf(name: string): string;
  /** The deployment that serves, in batches, what a deployment serves at once. */
  batchDeploymentOf(deployment: string): string;
  readonly models: readonly string[];
}

export function readDeployments(
  deployments: Readonly<Record<string, string>>,
  batchDeployments: Readonly<Record<string, string>> = {},
): Deployments {
  const byModel = new Map(Object.entries(deployments));
  const models = new Map<string, string>();
  // The first model named for a deployment is its price; later ones are aliases.
  for (const [model, deployment] of byModel) if (!models.has(deployment)) models.set(deployment, model);
  const forBatch = new Map<string, string>();
  for (const [model, deployment] of Object.entries(batchDeployments)) {
    if (!models.has(deployment)) models.set(deployment, model);
    const usual = byModel.get(model);
    if (usual !== undefined) forBatch.set(usual, deployment);
  }
  return {
    batchDeploymentOf: (deployment) => forBatch.get(deployment) ?? deployment,
    deploymentOf: (model) => byModel.get(model) ?? (models.has(model) ? model : null),
    modelOf: (name) => (byModel.has(name) ? name : (models.get(name) ?? name)),
    models: [...byModel.keys()],
  };
}
