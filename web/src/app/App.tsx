import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { Route, Switch } from "wouter";
import { isProblem } from "../api/problem";
import { I18nProvider, useI18n } from "../i18n/I18n";
import { chosenLanguage, supported } from "../i18n/languages";
import { Inbox } from "../inbox/Inbox";
import { LiveProvider } from "../live/LiveProvider";
import { NewPassword, ResetRequest } from "../session/PasswordReset";
import { SignIn } from "../session/SignIn";
import { useMe } from "../session/useMe";
import { ErrorState } from "../ui/ErrorState";
import { Spinner } from "../ui/Spinner";
import { ToastProvider } from "../ui/Toasts";
import { applyTheme, chosenTheme } from "./theme";

const Lab = lazy(() => import("../lab/Lab"));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => count < 2 && isProblem(error) && error.passing,
      retryDelay: (attempt) => Math.min(8_000, 600 * 2 ** attempt),
    },
    mutations: { retry: false },
  },
});

applyTheme(chosenTheme());

export function App() {
  return (
    <QueryClientProvider client={client}>
      <I18nProvider>
        <ToastProvider>
          <Switch>
            <Route path="/password-reset" component={ResetRequest} />
            <Route path="/password-reset/:token">{({ token }) => <NewPassword token={token} />}</Route>
            <Route>
              <Signed />
            </Route>
          </Switch>
        </ToastProvider>
      </I18nProvider>
    </QueryClientProvider>
  );
}

/** Everything behind the sign-in. The address stays, so one lands where one wanted to go. */
function Signed() {
  const me = useMe();
  const { setLanguage } = useI18n();
  const language = me.data?.language;

  useEffect(() => {
    // The profile's language counts until another is chosen on this device.
    const own = supported(language);
    if (own !== null && chosenLanguage() === null) setLanguage(own, false);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once per profile, not per language change
  }, [language]);

  if (me.isPending) return <Spinner page />;
  if (me.isError) return <ErrorState page error={me.error} onRetry={() => void me.refetch()} />;
  if (me.data === null) return <SignIn />;
  return (
    <LiveProvider>
      <Suspense fallback={<Spinner page />}>
        <Switch>
          <Route path="/lab">
            <Lab />
          </Route>
          <Route>
            <Inbox me={me.data} />
          </Route>
        </Switch>
      </Suspense>
    </LiveProvider>
  );
}
