export function Logo({ compact = false }: { compact?: boolean }) {
  return (
    <span className="logo">
      <img src="/favicon.svg" alt="" width={compact ? 26 : 36} height={compact ? 26 : 36} />
      <span>AutoCRM</span>
    </span>
  );
}
