import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isFusionCell } from '../lib/magic.js';

test('a cell that starts with the magic holds SQL', () => {
  assert.ok(isFusionCell('%%fusion\nSELECT 1'));
  assert.ok(isFusionCell('%%fusion -o df --limit 3\nSELECT 1'));
  assert.ok(isFusionCell('%%fusion'));
});

test('other cells are left alone', () => {
  assert.ok(!isFusionCell('%%fusions\nSELECT 1'));
  assert.ok(!isFusionCell(' %%fusion\nSELECT 1'));
  assert.ok(!isFusionCell('x = 1\n%%fusion'));
  assert.ok(!isFusionCell('%fusion jobs'));
});
