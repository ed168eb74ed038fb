declare module "virtual:first-texts" {
  export const ids: string[];
  const texts: Record<string, string[]>;
  export default texts;
}
