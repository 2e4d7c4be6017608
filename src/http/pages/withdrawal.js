"use strict";
(() => {
  const zh = (navigator.languages || [navigator.language]).map(String).find((name) => /^(zh|en)/i.test(name));
  const words = /^zh/i.test(zh || "zh") ? {
    title: "终止撤回", text: "请点一下按钮，终止撤回：订单保持不变。", button: "终止撤回", done: "撤回已终止，订单保持不变。可以关闭这个页面了。",
    invalid: "这个链接已经用过、已失效，或者撤回已经处理完毕。", failed: "没有成功，请稍后再试。",
  } : {
    title: "Stop the withdrawal", text: "Press the button to stop the withdrawal: the order stays as it is.",
    button: "Stop the withdrawal", done: "The withdrawal is stopped, the order stays as it is. You may close this page.",
    invalid: "This link was used before, is incomplete, or the withdrawal is decided already.",
    failed: "That didn't work. Please try again in a while.",
  };
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token") || "";
  history.replaceState(null, "", location.pathname);
  for (const name of ["title", "text", "button"]) $(name).textContent = words[name];
  document.title = words.title;
  $("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("button").disabled = true;
    const response = await fetch("/v1/withdrawals/stop", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
    }).catch(() => null);
    const says = response && response.ok ? "done" : response && response.status < 429 ? "invalid" : "failed";
    $("result").textContent = words[says];
    $("result").className = says === "done" ? "good" : "bad";
    $("form").hidden = says !== "failed";
    $("button").disabled = false;
  });
})();
