"use strict";
(() => {
  const zh = (navigator.languages || [navigator.language]).map(String).find((name) => /^(zh|en)/i.test(name));
  const words = /^zh/i.test(zh || "zh") ? {
    title: "续费", text: "点一下按钮，前往付款页面。无论何时付款，都从原到期日起算。", button: "前往付款",
    done: "正在打开付款页面…", wait: "付款正在处理中，请稍后再看。", now: "现在还不能续费：会员已变更、已失效，或者另有订单待付款。",
    invalid: "这个链接已失效，或者不完整。", failed: "没有成功，请稍后再试。",
  } : {
    title: "Go on as a member", text: "Press the button to get to the payment page. The new term goes on from the old end, whenever you pay.",
    button: "To the payment page", done: "Opening the payment page…", wait: "A payment is on its way: look again in a while.",
    now: "It can't be renewed now: the membership has changed or is over, or another order waits for its payment.",
    invalid: "This link has expired or is incomplete.", failed: "That didn't work. Please try again in a while.",
  };
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token") || "";
  history.replaceState(null, "", location.pathname);
  for (const name of ["title", "text", "button"]) $(name).textContent = words[name];
  document.title = words.title;
  $("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("button").disabled = true;
    const response = await fetch("/v1/renewal-links", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
    }).catch(() => null);
    const order = response && response.ok ? await response.json().catch(() => null) : null;
    const refused = response && response.status === 409 ? "now" : response && response.status === 410 ? "invalid" : "failed";
    const says = order ? (order.url ? "done" : "wait") : refused;
    $("result").textContent = words[says];
    $("result").className = says === "done" ? "good" : "bad";
    $("button").disabled = false;
    if (says === "done") location.assign(order.url);
  });
})();
