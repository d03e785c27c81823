/**
 * Which cells hold SQL. No JupyterLab in here, so that node's test runner can run it.
 */

/** The MIME type under which JupyterLab's editor knows standard SQL. */
export const SQL_MIME_TYPE = 'text/x-sql';

/**
 * Whether a code cell's text is the SQL of a `%%fusion` cell.
 *
 * As in IPython, the magic stands at the very start of the cell; `%%fusions` is another magic.
 */
export function isFusionCell(source: string): boolean {
  return /^%%fusion(\s|$)/.test(source);
}
