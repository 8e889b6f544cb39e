// When the network is away, a page that is asked for says so, and how to come back. Nothing else is ever kept here: no page of a person, no form.
const NAME = "offline-1", PAGE = "/borrower/offline";
addEventListener("install", (e) => e.waitUntil(caches.open(NAME).then((kept) => kept.add(new Request(PAGE, { credentials: "omit" })))));
addEventListener("activate", (e) => e.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => name != NAME).map((name) => caches.delete(name))))));
addEventListener("fetch", (e) => {
  if (e.request.mode == "navigate" && e.request.method == "GET") e.respondWith(fetch(e.request).catch(() => caches.match(PAGE)));
});
