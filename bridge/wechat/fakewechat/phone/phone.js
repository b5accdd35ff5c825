// The phones of the fake WeChat, for any page of the same origin: it mounts every <div data-fake-phone>. See the package
// comment for its attributes. A plain script, so that a page needs no more than <script src="/_fake/phone.js">.
(() => {
  'use strict';
  const source = document.currentScript.src;
  const mount = async () => {
    const { Phones } = await import(new URL('phones.js', source));
    document.querySelectorAll('[data-fake-phone]').forEach((root) => new Phones(root));
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', mount);
  else mount();
})();
