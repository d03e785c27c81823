import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  countOf,
  nextOrder,
  pagesOf,
  scrollGeometry
} from '../../fusion_magic/notebook/widgets/card.js';

test('few rows scroll pixel by pixel', () => {
  const { height, scale, most } = scrollGeometry(100, 400);

  assert.deepEqual({ height, scale, most }, { height: 2400, scale: 1, most: 2000 });
});

test('a scrollbar of limited height reaches the last of a billion rows', () => {
  const { height, scale, most } = scrollGeometry(1e9, 400);

  assert.ok(height <= 8_000_000);
  assert.equal((height - 400) * scale, most);
});

test('rows that fit are not scrolled', () => {
  assert.equal(scrollGeometry(3, 400).most, 0);
  assert.equal(scrollGeometry(0, 400).most, 0);
});

test('the pages in sight are asked for, and no others', () => {
  assert.deepEqual(pagesOf(0, 20, 200), [0]);
  assert.deepEqual(pagesOf(190, 210, 200), [0, 1]);
  assert.deepEqual(pagesOf(200, 400, 200), [1]);
  assert.deepEqual(pagesOf(0, 0, 200), []);
});

test('a heading sorts up, down, and not at all', () => {
  const up = nextOrder(null, 1);
  const down = nextOrder(up, 1);

  assert.deepEqual(up, { column: 1, is_descending: false });
  assert.deepEqual(down, { column: 1, is_descending: true });
  assert.equal(nextOrder(down, 1), null);
  assert.deepEqual(nextOrder(down, 0), { column: 0, is_descending: false });
});

test('counts have their unit', () => {
  assert.equal(countOf(1, 'row'), '1 row');
  assert.equal(countOf(12345, 'row'), '12,345 rows');
});
