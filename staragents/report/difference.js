// Word diff. difference(a, b): [pieces of a, pieces of b], each piece [text, whether it occurs in both].
const difference = (function () {
  "use strict";
  // Single characters of scripts without spaces; other words; any other character.
  const ALONE = "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}]";
  const WORD = new RegExp(`(?:${ALONE}|(?:(?!${ALONE})[\\p{L}\\p{M}\\p{N}_])+|[^])\\s*`, "gu");
  // With more cells, two very different texts would take seconds and gigabytes.
  const MAX_CELLS = 16e6;

  // Marks the words of a longest common subsequence in `keptA` and `keptB`, between `from` and the ends.
  function align(a, b, from, endA, endB, keptA, keptB) {
    const n = endA - from, m = endB - from, width = m + 1;
    if (n * m > MAX_CELLS) return;
    const longest = new Uint16Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i--) {
      for (let j = m - 1; j >= 0; j--) {
        longest[i * width + j] = a[from + i] === b[from + j]
          ? longest[(i + 1) * width + j + 1] + 1
          : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
      }
    }
    for (let i = 0, j = 0; i < n && j < m;) {
      if (a[from + i] === b[from + j]) keptA[from + i++] = keptB[from + j++] = true;
      else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
      else j++;
    }
  }

  function pieces(words, kept) {
    const made = [];
    words.forEach((word, n) => {
      const last = made[made.length - 1];
      if (last && last[1] === kept[n]) last[0] += word;
      else made.push([word, kept[n]]);
    });
    return made;
  }

  return function (first, second) {
    const wordsA = first.match(WORD) || [], wordsB = second.match(WORD) || [];
    const a = wordsA.map((word) => word.trimEnd()), b = wordsB.map((word) => word.trimEnd());
    const keptA = Array(a.length).fill(false), keptB = Array(b.length).fill(false);
    let from = 0, endA = a.length, endB = b.length;
    while (from < endA && from < endB && a[from] === b[from]) keptA[from] = keptB[from++] = true;
    while (endA > from && endB > from && a[endA - 1] === b[endB - 1]) keptA[--endA] = keptB[--endB] = true;
    align(a, b, from, endA, endB, keptA, keptB);
    return [pieces(wordsA, keptA), pieces(wordsB, keptB)];
  };
})();
