"use strict";
(() => {
  const zh = (navigator.languages || [navigator.language]).map(String).find((name) => /^(zh|en)/i.test(name));
  const words = /^zh/i.test(zh || "zh") ? {
    title: "停止自动续费", text: "请点一下按钮：到期时不再扣款，已付费的会员期不受影响。", button: "停止自动续费", done: "已停止自动续费。可以关闭这个页面了。",
    invalid: "这个链接已失效，或者会员已经结束。", failed: "没有成功，请稍后再试。",
  } : {
    title: "Don't charge my card", text: "Press the button, and nothing is charged when your term ends; what you have paid for runs on.",
    button: "Don't charge my card", done: "Your card will not be charged. You may close this page.",
    invalid: "This link has expired or is incomplete, or the membership is over.",
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
    const response = await fetch("/v1/renewal-links/stop", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
    }).catch(() => null);
    const says = response && response.ok ? "done" : response && response.status < 429 ? "invalid" : "failed";
    $("result").textContent = words[says];
    $("result").className = says === "done" ? "good" : "bad";
    $("form").hidden = says !== "failed";
    $("button").disabled = false;
  });
})();
