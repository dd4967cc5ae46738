declare module "*.woff2?url" {
  const file: string
  export default file
}

interface Window {
  readonly trustedTypes?: { createPolicy(name: string, rules: { createScriptURL(input: string): string }): { createScriptURL(input: string): unknown } }
}
