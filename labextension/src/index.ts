/**
 * SQL highlighting for `%%fusion` cells.
 *
 * A code cell whose text starts with the magic is shown as SQL, and as the kernel's language
 * again when it no longer does. Nothing is stored in the notebook.
 */

import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { isFusionCell, SQL_MIME_TYPE } from './magic.js';

/** Show *cell* in the language of its text. */
function applyLanguage(panel: NotebookPanel, cell: ICodeCellModel): void {
  const isFusion = isFusionCell(cell.sharedModel.getSource());
  const wanted = isFusion ? SQL_MIME_TYPE : panel.content.codeMimetype;
  if (cell.mimeType !== wanted) {
    cell.mimeType = wanted;
  }
}

/** Watch every code cell of *panel*, those that are added later included. */
function watchPanel(panel: NotebookPanel): void {
  const watched = new WeakSet<ICodeCellModel>();

  const watchCells = (): void => {
    for (const widget of panel.content.widgets) {
      if (!(widget instanceof CodeCell) || watched.has(widget.model)) {
        continue;
      }
      const model = widget.model;
      watched.add(model);
      model.contentChanged.connect(() => applyLanguage(panel, model));
      // The notebook sets the kernel's language again when a kernel starts.
      model.mimeTypeChanged.connect(() => applyLanguage(panel, model));
      applyLanguage(panel, model);
    }
  };

  panel.content.modelContentChanged.connect(watchCells);
  void panel.revealed.then(watchCells);
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'fusion-magic:highlighting',
  description: 'Shows %%fusion cells as SQL.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_app: JupyterFrontEnd, tracker: INotebookTracker): void => {
    tracker.forEach(watchPanel);
    tracker.widgetAdded.connect((_sender, panel) => watchPanel(panel));
  }
};

export default plugin;
