// Runs before the first paint, so that a chosen theme does not flash in the other one. A classic script: no imports.
{
  const stored = localStorage.getItem('weir-theme');
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored;
}
