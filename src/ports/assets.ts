/** Static files of installed packages, by plain name (`swagger-ui.css`). */
export interface Assets {
  /** Null when there is no such file. `type` is a Content-Type. */
  read(name: string): Promise<{ bytes: Uint8Array; type: string } | null>;
}
