import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "../api/client";
import { keys } from "../api/keys";
import { isProblem } from "../api/problem";
import type { Me } from "../api/types";

/** Who is signed in; null when nobody is. */
export function useMe() {
  return useQuery<Me | null>({
    queryKey: keys.me,
    staleTime: Infinity,
    queryFn: async () => {
      try {
        return await unwrap(api.GET("/api/v1/session"));
      } catch (error) {
        if (isProblem(error, 401)) return null;
        throw error;
      }
    },
  });
}
