document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const place = button.classList.contains("all") ? document.querySelector("#path") : button.parentElement;
  const commands = [...place.querySelectorAll("code")].map((code) => code.textContent + "\n");
  const label = button.textContent;
  await navigator.clipboard.writeText(commands.join(""));
  button.textContent = "copied";
  setTimeout(() => { button.textContent = label; }, 1200);
});
