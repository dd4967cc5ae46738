declare module "*.woff2?url" {
  const file: string
  export default file
}
