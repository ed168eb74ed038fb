declare module "*.po" {
  const catalogue: Record<string, string | string[]>;
  export default catalogue;
}
