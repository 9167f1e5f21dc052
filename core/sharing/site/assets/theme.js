// The chosen theme, before anything is drawn.
try {
  const theme = localStorage.getItem("headscript-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // storage is forbidden: the system's theme stays
}
