// JupyterLab reads from it how to uninstall; the build empties the folder, so it is copied last.
import { copyFileSync } from 'node:fs';

copyFileSync('install.json', '../fusion_magic/labextension/install.json');
