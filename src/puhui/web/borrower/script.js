(() => {
  const d = document, $ = (s, r = d) => r.querySelector(s), all = (s) => [...d.querySelectorAll(s)];
  const L = (() => { try { return localStorage; } catch { return {}; } })();
  const DAY = 864e5, at = (t) => "d:" + location.pathname + ":" + t.name, live = () => $("[data-live]");
  // A live part is asked for again, by time or by a change in its form, and swapped; another page means: go there.
  const swap = async (url) => {
    try {
      const r = await fetch(url, { headers: { "X-Part": "1" } });
      if (r.redirected) return location.replace(r.url);
      const n = $("[data-live]", new DOMParser().parseFromString(await r.text(), "text/html"));
      if (n && live() && n.innerHTML !== live().innerHTML) live().replaceWith(n);
    } catch { }
  };
  const poll = () => live()?.dataset.live && setTimeout(async () => { if (!d.hidden) await swap(location.href); poll(); }, live().dataset.live * 1e3);
  poll();
  let wait;
  d.addEventListener("input", (e) => {
    const t = e.target, f = t.form;
    if (t.dataset.keep != null) try { L[at(t)] = JSON.stringify([Date.now(), t.value]); } catch { }
    if (t.type == "range") { const o = $("output", f); if (o) o.value = (+t.value).toLocaleString(); }
    if (f?.dataset.asks != null) { clearTimeout(wait); wait = setTimeout(() => swap(f.action + "?" + new URLSearchParams(new FormData(f))), 250); }
  });
  // Drafts: amounts, terms and texts only, for a day.
  for (const k of Object.keys(L)) if (k.startsWith("d:") && Date.now() - JSON.parse(L[k])[0] > DAY) delete L[k];
  if ($("[data-done]")) for (const k of Object.keys(L)) if (k.startsWith("d:")) delete L[k];
  for (const t of all("[data-keep]")) {
    const s = L[at(t)] && JSON.parse(L[at(t)])[1];
    if (s && t.type == "radio") t.checked = t.value == s;
    else if (s && (!t.value || t.type[0] == "s")) t.value = s;
  }
  navigator.serviceWorker?.register("/borrower/offline.js").catch(() => { });
  // One tap is one request; back from the cache, the button works again.
  d.addEventListener("submit", (e) => {
    if (e.target.dataset.sent && e.target.method == "post") return e.preventDefault();
    e.target.dataset.sent = 1;
    all("button").forEach((b) => b.form == e.target && b.setAttribute("aria-disabled", "true"));
  });
  addEventListener("pageshow", () => { all("form").forEach((f) => delete f.dataset.sent); all("[aria-disabled]").forEach((b) => b.removeAttribute("aria-disabled")); });
  const net = () => { const o = $("#off"); if (o) o.hidden = navigator.onLine; };
  addEventListener("online", net); addEventListener("offline", net); net();
  // The reading time, counted for the eye; the server's clock decides.
  const c = $("[data-left]");
  if (c) { let n = +c.dataset.left; const k = setInterval(() => { $("[data-count]").textContent = --n > 0 ? n : ""; if (n < 1) { clearInterval(k); c.hidden = true; } }, 1e3); }
  // A photo is made smaller before it goes over a slow network.
  d.addEventListener("change", async (e) => {
    const t = e.target, p = t.type == "file" && t.files[0];
    if (!p || !/^image/.test(p.type) || p.size < 4e5) return;
    try {
      const b = await createImageBitmap(p), s = Math.min(1, 1600 / Math.max(b.width, b.height)), v = d.createElement("canvas");
      v.width = b.width * s; v.height = b.height * s; v.getContext("2d").drawImage(b, 0, 0, v.width, v.height);
      v.toBlob((x) => { const w = new DataTransfer(); w.items.add(new File([x], "p.jpg", { type: x.type })); t.files = w.files; }, "image/jpeg", .85);
    } catch { }
  });
})();
