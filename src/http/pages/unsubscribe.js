"use strict";
(() => {
  const zh = (navigator.languages || [navigator.language]).map(String).find((name) => /^(zh|en)/i.test(name));
  const words = /^zh/i.test(zh || "zh") ? {
    title: "退订邮件", text: "请点一下按钮，不再接收此类邮件。订单和会员相关的邮件不受影响。", button: "退订", done: "已退订。可以关闭这个页面了。",
    invalid: "这个链接不完整或无效。", failed: "没有成功，请稍后再试。",
  } : {
    title: "No more of these mails", text: "Press the button to get no more mails of this kind. Mails about your orders and your membership still come.",
    button: "Unsubscribe", done: "Done. You may close this page.", invalid: "This link is incomplete or invalid.",
    failed: "That didn't work. Please try again in a while.",
  };
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("t") || "";
  history.replaceState(null, "", location.pathname);
  for (const name of ["title", "text", "button"]) $(name).textContent = words[name];
  document.title = words.title;
  $("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("button").disabled = true;
    const response = await fetch(`/v1/unsubscribe?t=${encodeURIComponent(token)}`, {
      method: "POST",
    }).catch(() => null);
    const says = response && response.ok ? "done" : response && response.status < 429 ? "invalid" : "failed";
    $("result").textContent = words[says];
    $("result").className = says === "done" ? "good" : "bad";
    $("form").hidden = says !== "failed";
    $("button").disabled = false;
  });
})();
